task_queue_target = "node"            # "general", "node_type" (the target's), "node_type:database", "node"
description       = "Restart one systemd unit and see the alert clear"

constraint {                          # at most one that is open or began in the last 15 m
  kind   = "concurrency"
  value  = "1"
  period = "15m"
}
constraint {                          # at most one begun per hour
  kind   = "maxExecution"
  value  = "1"
  period = "1h"
}
constraint {                          # at most three begun a day, over all targets
  kind      = "maxExecution"
  value     = "3"
  period    = "24h"
  is_global = true
}
input "unit" {
  type    = "string"
  pattern = "^[A-Za-z0-9@._-]+\\.service$"
}
step "restart" {
  action  = "systemd.restart"
  args    = { unit = "${input.unit}" }
  timeout = "2m"
  retry   = { attempts = 2, wait = "10s" }
}
verify {
  source  = "prometheus.main"
  query   = "up{node=\"${target.node}\"} == 1"
  for     = "1m"
  timeout = "5m"
}
on_failure { notify = "oncall" }
