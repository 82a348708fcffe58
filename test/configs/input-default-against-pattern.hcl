# error: 4:13 does not match the pattern
input "a" {
  pattern = "[a-z]+"
  default = "A"
}
step "s" {
  action = "ping"
}
