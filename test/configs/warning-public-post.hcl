# warning: 7:20 lets anybody send POST
server_config {
  route_rule {
    name = "r"
    method = "POST"
    route_patterns = ["/*"]
    allow_public = true
  }
}
