# error: 3:3 names nobody
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
  }
}
