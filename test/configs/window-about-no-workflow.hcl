# error: 5:15 is an empty list; write at least one
window "freeze" {
  changes   = "forbidden"
  days      = ["sat"]
  workflows = []
}
