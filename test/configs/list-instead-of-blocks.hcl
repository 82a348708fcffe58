# error: 3:3 route_rule is a block, not an attribute
server_config {
  route_rule = [{ name = "r" }]
}
