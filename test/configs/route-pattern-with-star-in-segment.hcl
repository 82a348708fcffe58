# error: 6:23 not the whole last segment
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/v1/node*"]
    uris = ["spiffe://example.com/a"]
  }
}
