# error: 7:13 not the whole last path segment
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
    uris = ["spiffe://example.com/*/admin"]
  }
}
