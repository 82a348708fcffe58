# error: 3:3 is missing; write method =
server_config {
  route_rule {
    name           = "r"
    route_patterns = ["/*"]
    allow_public   = true
  }
}
