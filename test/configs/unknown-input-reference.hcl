# error: 5:22 there is no input uint; did you mean unit?
input "unit" {}
step "a" {
  action = "systemd.restart"
  args   = { unit = "${input.uint}" }
}
