# loads
limit "changes-at-once" {
  kind  = "concurrency"
  value = "5"
}
limit "one-per-rack" {
  kind    = "concurrency"
  value   = 1
  scope   = "label:rack"
  actions = ["systemd.restart", "exec"]
}
limit "rest" {
  kind      = "cooldown"
  period    = "5m"
  scope     = "datacenter"
  workflows = ["*"]
}
