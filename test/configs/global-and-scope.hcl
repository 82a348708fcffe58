# error: 9:15 contradicts scope = "node"
step "s" {
  action = "ping"
}
constraint {
  kind      = "concurrency"
  value     = 1
  scope     = "node"
  is_global = true
}
