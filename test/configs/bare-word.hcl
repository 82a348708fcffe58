# error: 5:14 GET is a bare word; quote strings: "GET"
server_config {
  route_rule {
    name = "r"
    method = GET
    route_patterns = ["/*"]
    uris = ["spiffe://example.com/a"]
  }
}
