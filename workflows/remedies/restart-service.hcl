# Restarts one systemd unit and proves that the target answers again. Copy it to workflows.d and fit the proof to your metrics.
description       = "Restart one systemd unit and see the node answer again"
task_queue_target = "node"

constraint {                          # one at a time on each node, and at most one in a quarter of an hour
  kind   = "concurrency"
  value  = 1
  period = "15m"
}
constraint {                          # three a day in the whole fleet: more is no accident, and for people
  kind      = "maxExecution"
  value     = 3
  period    = "24h"
  is_global = true
}
constraint {                          # twice in a row without success on a node: a person has to look
  kind  = "maxIneffective"
  value = 2
}

input "unit" {
  type        = "string"
  description = "full name of the unit, e.g. web.service"
  pattern     = "[A-Za-z0-9@._-]+\\.service"
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
