# warning: 12:1 no node of the inventory bears the label shelf: all are counted together
# warning: 17:1 the inventory has no node web-2; did you mean web-1?
step "s" {
  action = "ping"
}
constraint {
  kind   = "cooldown"
  period = "1h"
  scope  = "label:rack"
}

constraint {
  kind  = "concurrency"
  value = 1
  scope = "label:shelf"
}
override {
  mode  = "ask"
  nodes = ["web-1", "web-2"]
}
