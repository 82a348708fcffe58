# error: 4:34 systemd.restart takes no argument uint; did you mean unit?
step "a" {
  action = "systemd.restart"
  args   = { unit = "a.service", uint = 1 }
}
