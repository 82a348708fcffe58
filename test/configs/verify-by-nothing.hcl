# error: 6:1 is missing; write source
# error: 6:1 is missing; write query
step "s" {
  action = "ping"
}
verify {
  for = "10s"
}
