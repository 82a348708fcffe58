# Restarts one systemd unit and has its own host prove that it is active and stays so.
#
# For services that may simply be started anew. Where Prometheus knows whether the service answers, let that be the proof: a unit can be
# active and serve nobody. Write it as `verify { source = "prometheus.main", query = "probe_success{node=\"${target.node}\"} == 1" }`, on
# several lines.
#
# It does not ask why the unit went down, it restarts nothing that its host does not allow by name, and it tries no third time: after two
# in a row without success on a node it stands still there until a person resumes it.
description       = "Restart one systemd unit and see it stay active"
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
  pattern     = "[A-Za-z0-9@:_.-]+\\.service"
}

step "restart" {
  action  = "systemd.restart"
  args    = { unit = "${input.unit}" }
  timeout = "2m"
  retry   = { attempts = 2, wait = "10s" }
}

verify {
  action  = "systemd.status"
  args    = { unit = "${input.unit}" }
  expect  = { active_state = "active" }
  for     = "30s"
  timeout = "2m"
}

on_failure {                          # what it last said goes into the record; add notify = "..." to call somebody
  step "last-words" {
    action = "logs.tail"
    args   = { unit = "${input.unit}", lines = 50 }
  }
}
