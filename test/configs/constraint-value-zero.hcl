# error: 7:11 out of range
step "s" {
  action = "ping"
}
constraint {
  kind  = "concurrency"
  value = "0"
}
