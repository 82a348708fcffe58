# error: 7:12 names nobody
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
    uris = []
  }
}
