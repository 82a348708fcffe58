# error: 7:16 out of range
trigger "t" {
  source = "prometheus.main"
  query = "up == 0"
  workflow = "w"
  target = { node = "${labels.node}" }
  max_series = 0
}
