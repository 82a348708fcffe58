# error: 8:11 there is no scope "rack"
step "s" {
  action = "ping"
}
constraint {
  kind  = "concurrency"
  value = 1
  scope = "rack"
}
