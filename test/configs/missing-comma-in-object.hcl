# error: 4:20 a comma or a new line is missing
step "a" {
  action = "ping"
  args   = { a = 1 b = 2 }
}
