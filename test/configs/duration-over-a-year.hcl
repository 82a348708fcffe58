# error: 5:12 is longer than 366 days
constraint {
  kind   = "maxExecution"
  value  = 1
  period = "400d"
}
step "a" {
  action = "ping"
}
