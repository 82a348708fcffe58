# error: 5:1 is already written at
step "s" {
  action = "ping"
}
step "s" {
  action = "ping"
}
