# error: 4:13 fits strings only
input "a" {
  type    = "number"
  pattern = "[0-9]+"
}
step "s" {
  action = "ping"
}
