# error: 2:15 this { is never closed
server_config {
  enable_tls = true
  route_rule {
    name = "r"
}
