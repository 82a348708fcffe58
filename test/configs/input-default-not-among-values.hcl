# error: 4:13 not among the values
input "a" {
  values  = ["x", "y"]
  default = "z"
}
step "s" {
  action = "ping"
}
