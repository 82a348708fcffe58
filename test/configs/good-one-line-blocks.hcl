# loads
on_failure { notify = "oncall" }
input "a" { default = "x" }
step "s" {
  action = "ping"
}
