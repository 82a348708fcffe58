# error: 6:1 is for no target in particular; write node_types, datacenters or nodes, or mode = "ask" outside of it
mode = "auto"
step "s" {
  action = "ping"
}
override {
  mode = "ask"
}
