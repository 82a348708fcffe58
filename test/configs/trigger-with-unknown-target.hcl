# error: 6:14 unknown key host
trigger "t" {
  source = "prometheus.main"
  query = "up == 0"
  workflow = "w"
  target = { host = "a" }
}
