# error: 6:12 must name one thing
trigger "t" {
  source = "prometheus.main"
  query = "up == 0"
  workflow = "w"
  target = { node = "a", datacenter = "b" }
}
