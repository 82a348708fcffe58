# warning: 8:15 evidence is void before the next look
trigger "t" {
  source = "prometheus.main"
  query = "up == 0"
  workflow = "w"
  target = { node = "${labels.node}" }
  every = "5m"
  valid_for = "1m"
}
