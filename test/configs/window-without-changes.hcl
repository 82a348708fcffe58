# error: 2:1 is missing; write changes = ...
window "freeze" {
  days = ["sat", "sun"]
}
