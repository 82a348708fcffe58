# Puts a node back into service by the host's own hook, and takes it out again when it does not serve.
#
# The host defines three commands: `undrain` puts it back, `drain` takes it out, `is-serving` ends with 0 while the service answers as it
# should. When is-serving does not hold, the node is taken out again.
#
# It does not ask who took the node out, or why.
description       = "Put a node back into service with the host's own command, and see it serve"
task_queue_target = "node"

constraint {                          # one at a time on each node
  kind  = "concurrency"
  value = 1
}
constraint {                          # what the return of one does shows before the next of its type
  kind  = "concurrency"
  value = 1
  scope = "node_type"
}
constraint {
  kind   = "maxExecution"
  value  = 6
  period = "24h"
}
constraint {                          # one that does not serve stays out until a person has looked
  kind  = "maxIneffective"
  value = 1
}

step "undrain" {
  action  = "exec"
  args    = { command = "undrain" }
  timeout = "2m"
  retry   = { attempts = 2, wait = "10s" }
}

undo "drain" {
  of      = "undrain"
  action  = "exec"
  args    = { command = "drain" }
  timeout = "2m"
  retry   = { attempts = 3, wait = "10s" }
}

verify {
  action  = "exec"
  args    = { command = "is-serving" }
  for     = "1m"
  timeout = "5m"
  every   = "5s"
}
