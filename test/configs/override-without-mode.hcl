# error: 5:1 is missing; write mode = ...
step "s" {
  action = "ping"
}
override {
  node_types = ["database"]
}
