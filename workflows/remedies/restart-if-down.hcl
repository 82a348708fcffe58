# A file without steps: the workflow of this name is written in TypeScript (workflows/restart-if-down.ts). It asks the host itself whether the
# unit is down before it restarts it, and looks again afterwards.
description       = "Restart a systemd unit, only when its own host says that it is not active"
task_queue_target = "node"

constraint {
  kind   = "maxExecution"
  value  = 2
  period = "1h"
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
