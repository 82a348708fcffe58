# Clears the failures that systemd remembers, so that the next one is seen, and writes down which units they were.
#
# For units that fail once and are run again by something else: timers, one-shot jobs, leftovers of a deployment. The receipt of the reset
# names each unit and how it had failed. Then the host is asked whether any unit counts as failed still; one that fails again at once makes
# it ineffective.
#
# It does not start or repair anything. A service that should run and does not is for restart-service.
description       = "Clear the failed state of all units, keeping a record of them"
task_queue_target = "node"

constraint {                          # one at a time on each node, and at most one in an hour
  kind   = "concurrency"
  value  = 1
  period = "1h"
}
constraint {                          # six a day on a node: what fails more often wants repair, not forgetting
  kind   = "maxExecution"
  value  = 6
  period = "24h"
}
constraint {
  kind  = "maxIneffective"
  value = 2
}

step "why" {
  action   = "logs.tail"
  args     = { priority = "err", since_s = 3600, lines = 50 }
  may_fail = true
}
step "reset" {
  action  = "systemd.reset-failed"
  args    = { all = true }
  timeout = "1m"
}

verify {
  action  = "node.facts"
  args    = { top = 0 }
  expect  = { failed_units = 0 }
  for     = "30s"
  timeout = "2m"
}

on_failure {                          # what failed again, and why
  step "since" {
    action = "logs.tail"
    args   = { priority = "err", since_s = 300, lines = 50 }
  }
}
