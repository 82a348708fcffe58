# error: 2:1 says no time; write days = ["sat", "sun"], hours = "22:00-06:00" or calendar = "..."
window "freeze" {
  changes = "forbidden"
}
