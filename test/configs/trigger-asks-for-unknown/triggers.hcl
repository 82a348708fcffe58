# error: 10:16 there is no workflow restart-servce; did you mean restart-service?
# error: 17:16 is missing, and restart-service requires it; write unit = ...
# error: 17:18 restart-service has no input uint; did you mean unit?
# error: 17:46 is a string, and the input times is a number
# error: 24:16 restart-service runs on one node
source "prometheus" "main" { url = "http://127.0.0.1:9090" }

trigger "unknown-workflow" {
  source     = "prometheus.main"
  workflow   = "restart-servce"
  query      = "up == 0"
  target     = { node = "${labels.node}" }
}
trigger "unknown-input" {
  source     = "prometheus.main"
  workflow   = "restart-service"
  args       = { uint = "a.service", times = "2" }
  query      = "up == 0"
  target     = { node = "${labels.node}" }
}
trigger "whole-type" {
  source     = "prometheus.main"
  workflow   = "restart-service"
  target     = { node_type = "web" }
  args       = { unit = "a.service" }
  query      = "up == 0"
}
