# Restarts a unit only when its own host says that it is not active, and looks again afterwards.
#
# The example of a workflow in TypeScript (workflows/restart-if-down.ts): a file without steps. Its looks before and after the restart are
# steps of that code, so there is no verify block; one may be added, and is then asked as well.
#
# It does not restart a unit that is active but does not work.
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
  pattern     = "[A-Za-z0-9@:_.-]+\\.service"
}

on_failure {
  step "last-words" {
    action = "logs.tail"
    args   = { unit = "${input.unit}", lines = 50 }
  }
}
