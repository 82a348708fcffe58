# error: 4:10 bounds nothing
input "a" {
  type = "bool"
  max  = 2
}
step "s" {
  action = "ping"
}
