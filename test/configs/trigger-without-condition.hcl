# error: 2:1 has no condition
trigger "t" {
  source = "prometheus.main"
  workflow = "w"
  target = { node = "${labels.node}" }
}
