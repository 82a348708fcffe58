# error: 8:13 is longer than timeout (5m)
step "s" {
  action = "ping"
}
verify {
  source  = "prometheus.main"
  query   = "up"
  for     = "10m"
  timeout = "5m"
}
