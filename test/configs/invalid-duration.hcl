# error: 5:12 "1 minute" is not a duration
verify {
  source = "prometheus.main"
  query  = "up"
  for    = "1 minute"
}
step "a" {
  action = "ping"
}
