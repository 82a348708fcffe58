# Writes down the state of a host, and of one unit if it is named, while the fault is still there to be seen.
#
# The bundle stays on the host, in the agent's diagnostics_dir, where only root reads it; its path, size and digest are in the receipt. Have
# it run by a trigger of its own beside the one that heals, or before somebody logs in to look.
#
# It changes nothing but that folder, which is bounded, oldest bundles first out. It does not send the bundle anywhere: what is in it may be
# secret. With stack = true the unit's main process stands still for a moment.
description       = "Keep a bundle of diagnostics on the host"
task_queue_target = "node"

constraint {                          # one at a time on each node, and at most one in ten minutes
  kind   = "concurrency"
  value  = 1
  period = "10m"
}
constraint {
  kind   = "maxExecution"
  value  = 12
  period = "24h"
}
constraint {                          # of many that are ill at once, some are enough
  kind  = "concurrency"
  value = 3
  scope = "node_type"
}

input "unit" {
  type        = "string"
  description = "the unit to look at closely; by default the state of the whole boot"
  pattern     = "[A-Za-z0-9@:_.-]+\\.(?:service|socket|timer|target|mount|slice)"
  default     = "multi-user.target"
}
input "stack" {
  type        = "bool"
  description = "with the stacks of its main process"
  default     = false
}

step "collect" {
  action  = "diagnostics.collect"
  args    = { unit = "${input.unit}", stack = "${input.stack}" }
  timeout = "3m"
  retry   = { attempts = 2, wait = "15s" }
}

verify {                              # the host bore it
  action  = "ping"
  timeout = "1m"
}

on_failure {                          # at least what the journal says
  step "journal" {
    action = "logs.tail"
    args   = { priority = "warning", lines = 100 }
  }
}
