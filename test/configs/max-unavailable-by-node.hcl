# error: 9:11 a node is one; write "node_type", "datacenter", "global" or "label:NAME"
# error: 14:11 a target is one; write "node_type"
step "s" {
  action = "ping"
}
constraint {
  kind  = "maxUnavailable"
  value = 1
  scope = "node"
}
constraint {
  kind  = "maxUnavailable"
  value = 1
  scope = "target"
}
