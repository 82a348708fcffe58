# loads
input "unit" {}
input "times" {
  type    = "number"
  default = 1
}
step "restart" {
  action = "systemd.restart"
  args   = { unit = "${input.unit}" }
}
