# error: 6:23 can match no route
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/v1/../metrics"]
    uris = ["spiffe://example.com/a"]
  }
}
