# loads
input "least" {
  type    = "number"
  default = 10
}
step "restart" {
  action   = "systemd.restart"
  args     = { unit = "web.service" }
  may_fail = true
}
verify {
  action  = "exec"
  args    = { command = "space", path = "/" }
  expect  = { state = ["good", "better"], free_percent = { min = "${input.least}", max = 100 }, errors = 0 }
  for     = "10s"
  timeout = "1m"
}
