# error: 5:1 is missing; write value =
step "s" {
  action = "ping"
}
constraint {
  kind = "concurrency"
}
