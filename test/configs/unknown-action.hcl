# error: 3:12 did you mean systemd.restart?
step "a" {
  action = "systemd.restrat"
}
