source "prometheus" "main" { url = "http://127.0.0.1:9090" }

trigger "web-wedged" {
  source     = "prometheus.main"
  query      = "probe_success{job=\"web\"} == 0"     # or alert = "WebDown": a rule Prometheus itself evaluates
  every      = "5s"
  for        = "15s"
  workflow   = "restart-service"
  target     = { node = "${labels.node}" }
  node_types = ["web"]                               # a label may name only nodes of these types
  args       = { unit = "web.service" }
  valid_for  = "2m"                                  # evidence older than this is void
  max_series = 20                                    # more at once: the storm brake holds them all and calls a person
}
