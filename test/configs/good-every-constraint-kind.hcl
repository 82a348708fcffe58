# loads
step "s" {
  action = "ping"
}
constraint {
  kind  = "concurrency"
  value = "2"
  scope = "datacenter"
}
constraint {
  kind   = "maxExecution"
  value  = 3
  period = "1d"
}
constraint {
  kind   = "cooldown"
  period = "10m"
  scope  = "label:rack"
}
constraint {
  kind   = "cooldown"
  value  = 1
  period = "1h"
  scope  = "global"
}
constraint {
  kind  = "maxUnavailable"
  value = "5%"
}
constraint {
  kind      = "maxUnavailable"
  value     = "20"
  is_global = true
}
constraint {
  kind  = "maxIneffective"
  value = 3
  scope = "node"
}
