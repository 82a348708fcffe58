# loads
window "office-hours" {
  changes   = "only"
  days      = ["mon", "tue", "wed", "thu", "fri"]
  hours     = ["08:00-12:00", "13:00-17:00"]
  time_zone = "Europe/Berlin"
  workflows = ["reboot-node"]
}
window "nightly-backup" {
  changes    = "forbidden"
  hours      = "22:00-06:00"
  node_types = ["database"]
  nodes      = ["db-1", "db-2"]
  reason     = "backups run"
}
window "always" {
  changes     = "forbidden"
  hours       = "00:00-24:00"
  datacenters = ["dc9"]
}
