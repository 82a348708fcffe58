# error: 5:13 is 4, more than the greatest of a
input "a" {
  type    = "number"
  max     = 3
  default = 4
}
step "s" {
  action = "ping"
}
