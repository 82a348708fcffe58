# Reboots a host once, waits for it, and sees it come all the way up.
#
# The last resort, so a person who did not ask for it says yes first (mode = "ask"); for node types where nobody ever said no, an override
# makes it "auto". Diagnostics are kept on the host before. The reboot is done at most once, whatever is lost on the way: a host that comes
# back under another boot id is proof that it happened. The remedy waits for its agent, then until the unit that stands for "all is up" has
# stayed active.
#
# It needs the coordinators' inventory: at most one node of a type is down or under change at a time, this one counted in. It does not
# reboot while a person is logged in, unless told to, and it does not take the node out of service first; take-out-of-service does.
description       = "Reboot a host and see it come up again"
task_queue_target = "node"
mode              = "ask"

constraint {                          # never two of a type at a time, whatever else is down there
  kind  = "maxUnavailable"
  value = 1
}
constraint {                          # one at a time in the whole fleet
  kind      = "concurrency"
  value     = 1
  is_global = true
}
constraint {                          # a host that needs it twice a day is broken
  kind   = "maxExecution"
  value  = 1
  period = "24h"
}
constraint {                          # what the reboot of one did shows before the next of its type
  kind   = "cooldown"
  period = "10m"
  scope  = "node_type"
}
constraint {                          # one that did not help is one too many
  kind  = "maxIneffective"
  value = 1
}

input "up" {
  type        = "string"
  description = "the unit that is active when the host is up"
  pattern     = "[A-Za-z0-9@:_.-]+\\.(?:service|target)"
  default     = "multi-user.target"
}
input "force_with_users" {
  type        = "bool"
  description = "even while a person is logged in"
  default     = false
}

step "notes" {
  action   = "diagnostics.collect"
  timeout  = "2m"
  may_fail = true
}
step "reboot" {
  action  = "node.reboot"
  args    = { force_with_users = "${input.force_with_users}" }
  timeout = "15m"
}

verify {
  action  = "systemd.status"
  args    = { unit = "${input.up}" }
  expect  = { active_state = "active" }
  for     = "1m"
  timeout = "10m"
}

on_failure {                          # what it wrote since it came up, if it did
  step "boot-log" {
    action = "logs.tail"
    args   = { priority = "err", since_s = 1800, lines = 100 }
  }
}
