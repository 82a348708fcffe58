# error: 4:21 "saturday" is not known; write one of: sun, mon, tue, wed, thu, fri, sat
window "freeze" {
  changes = "forbidden"
  days    = ["fri", "saturday"]
}
