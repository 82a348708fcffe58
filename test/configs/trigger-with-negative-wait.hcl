# error: 9:14 "-1m" is not a duration; write e.g.
source "prometheus" "main" { url = "http://127.0.0.1:9090" }

trigger "t" {
  source   = "prometheus.main"
  query    = "up == 0"
  workflow = "w"
  target   = { node = "web-1" }
  wait     = "-1m"
}
