# error: 3:10 "integer" is not known
input "a" {
  type = "integer"
}
step "s" {
  action = "ping"
}
