# error: 5:1 is missing; write of =
step "s" {
  action = "ping"
}
undo "u" {
  action = "ping"
}
