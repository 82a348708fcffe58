# error: 5:3 } cannot close the [ of 4:22; write ]
server_config {
  route_rule {
    route_patterns = ["/*"
  }
}
