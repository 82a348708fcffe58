# error: 5:14 double quotes
server_config {
  route_rule {
    name = "r"
    method = 'GET'
    route_patterns = ["/*"]
    uris = ["spiffe://example.com/a"]
  }
}
