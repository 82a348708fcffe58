# error: 7:16 is an empty list
trigger "t" {
  source = "prometheus.main"
  query = "up == 0"
  workflow = "w"
  target = { node = "${labels.node}" }
  node_types = []
}
