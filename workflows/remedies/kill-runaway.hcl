# Ends one process that eats the processors or the memory of its host, found by its executable, its age and its appetite.
#
# At the defaults a runaway is older than five minutes and uses most of a processor. For memory say
# `--arg min_cpu_percent:=0 --arg min_rss_mb:=4096`. When more than one process fits, none is touched: then it is no runaway but a load, and
# a person decides. The process gets SIGTERM and ten seconds before SIGKILL. It is proven by looking again: no process of that kind is left.
#
# It does not end what its host does not allow by executable; never process 1, a kernel thread or Fettle itself. It does not start the
# program again: a service is better restarted (restart-service).
description       = "End one process that takes too much CPU or memory"
task_queue_target = "node"

constraint {                          # one at a time on each node, and at most one in a quarter of an hour
  kind   = "concurrency"
  value  = 1
  period = "15m"
}
constraint {                          # three a day on a node: a program that runs away more often is broken
  kind   = "maxExecution"
  value  = 3
  period = "24h"
}
constraint {                          # ten an hour in the fleet: a release that runs away everywhere is for people
  kind      = "maxExecution"
  value     = 10
  period    = "1h"
  is_global = true
}
constraint {
  kind  = "maxIneffective"
  value = 2
}

input "exe" {
  type        = "string"
  description = "its executable, the whole path, e.g. /usr/bin/java"
  pattern     = "/[A-Za-z0-9_./+@-]+"
}
input "min_age_s" {
  type        = "number"
  description = "only when it has run for so many seconds"
  min         = 1
  max         = 86400
  default     = 300
}
input "min_cpu_percent" {
  type        = "number"
  description = "only when it uses so much of one processor; 0 = any"
  min         = 0
  max         = 10000
  default     = 90
}
input "min_rss_mb" {
  type        = "number"
  description = "only when it holds so many MiB; 0 = any"
  min         = 0
  max         = 1000000
  default     = 0
}

step "who" {
  action  = "process.list"
  args    = {
    exe             = "${input.exe}"
    min_age_s       = "${input.min_age_s}"
    min_cpu_percent = "${input.min_cpu_percent}"
    min_rss_mb      = "${input.min_rss_mb}"
  }
  timeout = "30s"
}
step "kill" {
  action  = "process.kill"
  args    = {
    exe             = "${input.exe}"
    min_age_s       = "${input.min_age_s}"
    min_cpu_percent = "${input.min_cpu_percent}"
    min_rss_mb      = "${input.min_rss_mb}"
    signal          = "TERM"
    grace_s         = 10
    max             = 1
  }
  timeout = "1m"
}

verify {
  action  = "process.list"
  args    = {
    exe             = "${input.exe}"
    min_age_s       = "${input.min_age_s}"
    min_cpu_percent = "${input.min_cpu_percent}"
    min_rss_mb      = "${input.min_rss_mb}"
  }
  expect  = { matched = 0 }
  for     = "30s"
  timeout = "2m"
}

on_failure {
  step "busiest" {
    action = "node.facts"
    args   = { top = 20 }
  }
}
