# error: 3:13 is no regular expression
input "a" {
  pattern = "[a-z"
}
step "s" {
  action = "ping"
}
