# error: 4:14 a key is plain text
step "a" {
  action = "ping"
  args   = { "${input.a}" = 1 }
}
