# error: 4:12 is missing, and systemd.restart needs it
step "a" {
  action = "systemd.restart"
  args   = {}
}
