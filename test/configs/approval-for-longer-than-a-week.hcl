# error: 2:18 is too long; write at most "604800s"
approve_within = "8d"
step "s" {
  action = "ping"
}
