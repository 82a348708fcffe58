# error: 4:20 ${secret.t} is not defined here
verify {
  source = "prometheus.main"
  query  = "up{t=\"${secret.t}\"}"
}
step "a" {
  action = "ping"
}
