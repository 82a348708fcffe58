# error: 4:12 "firing" is not known
step "a" {
  action = "ping"
  when   = "firing"
}
