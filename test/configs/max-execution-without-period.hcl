# error: 5:1 maxExecution counts within one
step "s" {
  action = "ping"
}
constraint {
  kind  = "maxExecution"
  value = 1
}
