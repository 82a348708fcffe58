# error: 5:13 more than the greatest
input "a" {
  type    = "number"
  max     = 3
  default = 4
}
step "s" {
  action = "ping"
}
