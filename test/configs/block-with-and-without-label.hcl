# error: 5:1 step has 1 label here and 0 labels at
step {
  action = "ping"
}
step "a" {
  action = "ping"
}
