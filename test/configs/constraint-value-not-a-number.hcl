# error: 7:11 is no whole number
step "s" {
  action = "ping"
}
constraint {
  kind  = "concurrency"
  value = "one"
}
