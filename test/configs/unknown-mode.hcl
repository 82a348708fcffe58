# error: 2:8 "manual" is not known; write one of: auto, ask, shadow
mode = "manual"
step "s" {
  action = "ping"
}
