# error: 3:3 unknown block route_rul; did you mean route_rule?
server_config {
  route_rul {
  }
}
