# The part of a host's agent.hcl that the shipped remedies need. Take over what you enable, and put your own names for web.service and the rest.

# restart-service, restart-wedged-service, restart-if-down
allow "systemd.restart" {
  args     = { unit = { units = ["web.service", "worker-*.service"] } }
  per_hour = 6
}
allow "systemd.status" {}
allow "logs.tail" {}

# restart-wedged-service, collect-diagnostics, reboot-node
allow "diagnostics.collect" {
  per_hour = 12
}

# clean-disk
allow "disk.clean" {
  per_hour = 12
}
clean "uploads" {
  directory  = "/srv/uploads/tmp"
  pattern    = "upload-[0-9]+\\.part"
  older_than = "1d"
}
allow "node.facts" {}

# reset-failed-units
allow "systemd.reset-failed" {
  per_hour = 6
}

# kill-runaway
allow "process.list" {}
allow "process.kill" {
  args     = { exe = { one_of = ["/usr/local/bin/report"] } }
  per_hour = 3
}

# reboot-node
allow "node.reboot" {
  per_hour = 1
}
allow "ping" {}

# take-out-of-service, return-to-service: the looks count as well
allow "exec" {
  args     = { command = { one_of = ["drain", "undrain", "is-drained", "is-serving"] } }
  per_hour = 200
}
