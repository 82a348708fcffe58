# error: 6:23 does not begin with /
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["v1/nodes"]
    uris = ["spiffe://example.com/a"]
  }
}
