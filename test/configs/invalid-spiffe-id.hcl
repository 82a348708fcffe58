# error: 7:13 the trust domain must be
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
    uris = ["spiffe://Example.com/a"]
  }
}
