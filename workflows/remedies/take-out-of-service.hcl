# Takes a node out of service by the host's own hook, and puts it back when that does not come to a good end.
#
# The host defines three commands: `drain` takes it out, `undrain` puts it back, `is-drained` ends with 0 once nothing reaches it any more.
# Each is a program of the host or an HTTP request to its load balancer; the example for hosts below has both. When is-drained does not say
# yes in time, when anything fails, when a person cancels, the node is put back.
#
# It needs the coordinators' inventory: at most one node of a type is down or under change while it runs. It does not remember: once it has
# ended, a drained node counts as available again. return-to-service puts it back.
description       = "Take a node out of service with the host's own command, or put it back"
task_queue_target = "node"

constraint {                          # never two of a type at a time, whatever else is down there
  kind  = "maxUnavailable"
  value = 1
}
constraint {                          # one at a time on each node
  kind  = "concurrency"
  value = 1
}
constraint {                          # six a day of each type
  kind   = "maxExecution"
  value  = 6
  period = "24h"
  scope  = "node_type"
}
constraint {
  kind  = "maxIneffective"
  value = 2
}

step "drain" {
  action  = "exec"
  args    = { command = "drain" }
  timeout = "2m"
}

undo "undrain" {
  of      = "drain"
  action  = "exec"
  args    = { command = "undrain" }
  timeout = "2m"
  retry   = { attempts = 3, wait = "10s" }
}

verify {                              # done when the command ends with 0, without a break
  action  = "exec"
  args    = { command = "is-drained" }
  for     = "10s"
  timeout = "10m"
  every   = "10s"
}
