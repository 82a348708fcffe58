# error: 4:22 ${labels.unit} is not defined here
step "a" {
  action = "systemd.stop"
  args   = { unit = "${labels.unit}" }
}
