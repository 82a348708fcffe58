# error: 4:13 "22:00" is no span of hours; write e.g. "09:00-17:00", or "22:00-06:00" across midnight
window "freeze" {
  changes = "forbidden"
  hours   = "22:00"
}
