# error: 4:13 is no time at all
step "a" {
  action  = "ping"
  timeout = "0s"
}
