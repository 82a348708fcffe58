# error: 2:21 node_type:TYPE
task_queue_target = "node_type:"
step "s" {
  action = "ping"
}
