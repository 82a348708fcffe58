# error: 6:12 and action exclude each other
step "s" {
  action = "ping"
}
verify {
  source = "prometheus.main"
  action = "ping"
}
