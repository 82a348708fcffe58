# error: 6:12 systemd.restart changes the host with every look
step "s" {
  action = "ping"
}
verify {
  action = "systemd.restart"
  args   = { unit = "web.service" }
}
