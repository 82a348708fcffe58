# error: 4:19 this template is never closed; end it with }
step "a" {
  action = "ping"
  args   = { x = "${input.x" }
}
