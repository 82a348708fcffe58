# error: 7:16 is an empty list; write at least one
step "s" {
  action = "ping"
}
override {
  mode       = "ask"
  node_types = []
}
