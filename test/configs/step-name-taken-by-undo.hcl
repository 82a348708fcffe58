# error: 5:1 the name s is taken by step["s"]
step "s" {
  action = "ping"
}
undo "s" {
  of     = "s"
  action = "ping"
}
