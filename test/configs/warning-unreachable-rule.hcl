# warning: 9:3 never decides
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
    uris = ["spiffe://example.com/a"]
  }
  route_rule {
    name = "s"
    method = "GET"
    route_patterns = ["/v1/nodes"]
    uris = ["spiffe://example.com/a"]
  }
}
