# error: 5:15 "CET/Berlin" is no time zone; write a name such as "Europe/Berlin" or "UTC"
window "freeze" {
  changes   = "only"
  days      = ["sat"]
  time_zone = "CET/Berlin"
}
