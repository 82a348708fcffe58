# error: 5:14 is no workflow name
trigger "t" {
  source = "prometheus.main"
  query = "up == 0"
  workflow = "Restart"
  target = { node = "${labels.node}" }
}
