# error: 4:13 "22:00-24:30" is no span of hours
window "freeze" {
  changes = "forbidden"
  hours   = "22:00-24:30"
}
