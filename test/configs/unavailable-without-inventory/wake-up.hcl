# error: 6:11 the coordinator does not know them; write inventory = "..." in its configuration
step "s" {
  action = "ping"
}
constraint {
  kind  = "maxUnavailable"
  value = "5%"
}
