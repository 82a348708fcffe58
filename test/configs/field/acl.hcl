server_config {
  enable_tls = true
  route_rule {
    name           = "global_get"
    method         = "GET"
    route_patterns = ["/*"]
    uris           = ["spiffe://example.com/worker-admin"]
  }
  route_rule {
    name           = "global_post"
    method         = "POST"
    route_patterns = ["/*"]
    uris           = ["spiffe://example.com/worker-admin"]
    allow_public   = true
  }
  route_rule {
    name           = "public_access"
    method         = "GET"
    route_patterns = ["/metrics"]
    uris           = []
    allow_public   = true
    skip_log_match = true
  }
}
