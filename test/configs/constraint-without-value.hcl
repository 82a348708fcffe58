# error: 5:1 is missing; write e.g. value = 1
step "s" {
  action = "ping"
}
constraint {
  kind = "concurrency"
}
