# error: 6:12 there is no step steps
step "s" {
  action = "ping"
}
undo "u" {
  of     = "steps"
  action = "ping"
}
