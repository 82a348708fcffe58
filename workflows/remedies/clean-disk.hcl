# Makes room on a file system: the journal, the cache of packages, and files that the host itself has named.
#
# What may go is for the host to say, in a `clean` block of its agent.hcl: a folder, a pattern, an age. Each step does nothing when there is
# room enough already, and the last one fails when there is still too little. Then the free space of `path` is measured once more, apart
# from the steps, and has to hold.
#
# It does not look for what fills the disk: a program that writes faster than files grow old fills it again, and the breaker stops this
# after the second time. It follows no symbolic link, enters no other mount, and truncates no file that is still open.
description       = "Free space by journal, package cache and files that the host named, until there is enough"
task_queue_target = "node"

constraint {                          # one at a time on each node, and at most one in an hour
  kind   = "concurrency"
  value  = 1
  period = "1h"
}
constraint {                          # four a day on a node: what fills up more often has another fault
  kind   = "maxExecution"
  value  = 4
  period = "24h"
}
constraint {                          # so many at once in the fleet: everything filling up together is an incident
  kind      = "concurrency"
  value     = 10
  is_global = true
}
constraint {
  kind  = "maxIneffective"
  value = 2
}

input "path" {
  type        = "string"
  description = "a folder on the file system that is full, e.g. its mount point; one that the agent may look at, so none in /home or /root"
  pattern     = "/[A-Za-z0-9_./@:+-]*"
}
input "files" {
  type        = "string"
  description = "name of the host's clean block; \"apt\" when there is none, which does no more than the step before"
  pattern     = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
  default     = "apt"
}
input "min_free_percent" {
  type        = "number"
  description = "so much of it is to be free"
  min         = 1
  max         = 90
  default     = 15
}
input "journal_size" {
  type        = "string"
  description = "old journal files go until the rest takes no more than this"
  pattern     = "[1-9][0-9]{0,5}[MG]"
  default     = "500M"
}

step "journal" {
  action   = "disk.clean"
  args     = { what = "journal", keep_size = "${input.journal_size}", min_free_percent = "${input.min_free_percent}" }
  timeout  = "5m"
  may_fail = true
}
step "packages" {
  action   = "disk.clean"
  args     = { what = "apt", min_free_percent = "${input.min_free_percent}" }
  timeout  = "5m"
  may_fail = true
}
step "files" {
  action  = "disk.clean"
  args    = { what = "${input.files}", min_free_percent = "${input.min_free_percent}" }
  timeout = "10m"
}

verify {
  action  = "node.facts"
  args    = { path = "${input.path}", top = 0 }
  expect  = { path_free_percent = { min = "${input.min_free_percent}" } }
  for     = "1m"
  timeout = "5m"
  every   = "15s"
}

on_failure {                          # who is busy there now
  step "who-writes" {
    action = "node.facts"
    args   = { path = "${input.path}", top = 10 }
  }
}
