# error: 6:11 not available in this version
step "s" {
  action = "ping"
}
constraint {
  kind  = "cooldown"
  value = 1
}
