# Restarts a unit that runs but does not work, and writes down where it hangs before the evidence is gone.
#
# First a bundle of diagnostics stays on the host: the unit's status and journal, its threads and what the kernel says they wait for, user
# space stacks where the host has eu-stack or gdb. Its path and digest are in the receipt. Then the unit is restarted the way its own file
# says: a process that ignores its stop signal is killed by systemd after the unit's TimeoutStopSec, no sooner, so give the step more time
# than that. Should the bundle fail (a full disk, say), the restart comes all the same.
#
# It does not tell a wedged service from a slow one; whoever asks for it does. It kills nothing by itself.
description       = "Keep the stacks of a hanging unit, restart it, and see it stay active"
task_queue_target = "node"

constraint {                          # one at a time on each node, and at most one in half an hour
  kind   = "concurrency"
  value  = 1
  period = "30m"
}
constraint {                          # one node of a type after the other: a dependency that hangs is not healed by restarting all who wait
  kind  = "concurrency"
  value = 1
  scope = "node_type"
}
constraint {
  kind      = "maxExecution"
  value     = 5
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
input "quit_signal" {
  type        = "bool"
  description = "send SIGQUIT first: a Java or Go program answers with its stacks, most others die of it"
  default     = false
}

step "stacks" {
  action   = "diagnostics.collect"
  args     = { unit = "${input.unit}", stack = true, quit_signal = "${input.quit_signal}" }
  timeout  = "2m"
  may_fail = true
}
step "restart" {
  action  = "systemd.restart"
  args    = { unit = "${input.unit}" }
  timeout = "5m"
}

verify {
  action  = "systemd.status"
  args    = { unit = "${input.unit}" }
  expect  = { active_state = "active" }
  for     = "30s"
  timeout = "2m"
}

on_failure {
  step "last-words" {
    action = "logs.tail"
    args   = { unit = "${input.unit}", lines = 50 }
  }
}
