# error: 4:21 references stand inside quoted strings only
step "a" {
  action = "systemd.stop"
  args   = { unit = input.unit }
}
