# error: 2:1 has both query and alert
trigger "t" {
  source = "prometheus.main"
  query = "up == 0"
  workflow = "w"
  target = { node = "${labels.node}" }
  alert = "Down"
}
