# error: 7:39 is a number; write a SPIFFE id
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
    uris = ["spiffe://example.com/a", 1]
  }
}
