# error: 3:13 "allowed" is not known; write one of: forbidden, only
window "freeze" {
  changes = "allowed"
  days    = ["sat"]
}
