# error: 7:12 would ask the host 300 times within 5m; write 2s or more
step "s" {
  action = "ping"
}
verify {
  action = "ping"
  every  = "1s"
}
