# error: 4:12 null is no value here
server_config {
  route_rule {
    name = null
    method = "GET"
    route_patterns = ["/*"]
    uris = ["spiffe://example.com/a"]
  }
}
