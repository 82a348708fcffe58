# error: 4:13 "08:00-08:00" begins when it ends; write "00:00-24:00" for whole days, or leave hours out
window "freeze" {
  changes = "forbidden"
  hours   = "08:00-08:00"
}
