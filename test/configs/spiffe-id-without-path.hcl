# error: 7:13 it has no path
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
    uris = ["spiffe://example.com"]
  }
}
