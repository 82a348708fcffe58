# error: 7:12 is a string; write a list
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
    uris = "spiffe://example.com/a"
  }
}
