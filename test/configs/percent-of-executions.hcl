# error: 7:11 is a percentage, and concurrency counts executions; write a whole number, e.g. value = 1
step "s" {
  action = "ping"
}
constraint {
  kind  = "concurrency"
  value = "5%"
}
