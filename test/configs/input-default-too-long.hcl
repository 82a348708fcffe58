# error: 4:13 is 4 characters, more than the greatest of a
input "a" {
  max     = 3
  default = "abcd"
}
step "s" {
  action = "ping"
}
