# error: 7:20 is a string; write true or false
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
    allow_public = "true"
  }
}
