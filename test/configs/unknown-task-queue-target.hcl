# error: 2:21 did you mean node?
task_queue_target = "nodes"
step "s" {
  action = "ping"
}
