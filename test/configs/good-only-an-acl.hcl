# loads
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
    uris = ["spiffe://example.com/a"]
  }
}
