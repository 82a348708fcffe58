# error: 5:14 did you mean GET?
server_config {
  route_rule {
    name = "r"
    method = "get"
    route_patterns = ["/*"]
    uris = ["spiffe://example.com/a"]
  }
}
