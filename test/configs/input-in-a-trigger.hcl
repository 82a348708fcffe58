# error: 9:24 ${input.node} is not defined here
source "prometheus" "main" {
  url = "http://127.0.0.1:9090"
}
trigger "t" {
  source   = "prometheus.main"
  query    = "up == 0"
  workflow = "w"
  target   = { node = "${input.node}" }
}
