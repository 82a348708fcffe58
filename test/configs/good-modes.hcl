# loads
mode           = "shadow"
max_pending    = 0
approve_within = "12h"
step "s" {
  action = "ping"
}
override {
  mode        = "auto"
  node_types  = ["web"]
  datacenters = ["dc1"]
}
override {
  mode  = "ask"
  nodes = ["web-1"]
}
