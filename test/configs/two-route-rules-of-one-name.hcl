# error: 10:12 is already the name of the rule at
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/metrics"]
    uris = ["spiffe://example.com/a"]
  }
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/v1/nodes"]
    uris = ["spiffe://example.com/a"]
  }
}
