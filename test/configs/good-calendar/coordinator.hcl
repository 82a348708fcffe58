# loads
window "year-end" {
  changes   = "forbidden"
  calendar  = "freeze.ics"
  time_zone = "Europe/Berlin"
  reason    = "no changes at the end of the year"
}
