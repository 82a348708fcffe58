# warning: 7:20 lets anybody read every route
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
    allow_public = true
  }
}
