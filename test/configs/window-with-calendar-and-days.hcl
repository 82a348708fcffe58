# error: 5:14 has both a calendar and days or hours; make two windows of it
window "freeze" {
  changes  = "forbidden"
  calendar = "freeze.ics"
  days     = ["sat"]
}
