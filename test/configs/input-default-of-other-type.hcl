# error: 4:13 is a string, and the input a is a number
input "a" {
  type    = "number"
  default = "5"
}
step "s" {
  action = "ping"
}
