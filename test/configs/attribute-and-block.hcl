# error: 4:3 route_rule is both an attribute
server_config {
  route_rule = []
  route_rule {}
}
