# error: 7:22 the input unit may be absent
input "unit" {
  required = false
}
step "a" {
  action = "systemd.restart"
  args   = { unit = "${input.unit}" }
}
