# error: 4:14 unknown key attempt; did you mean attempts?
step "a" {
  action = "ping"
  retry  = { attempt = 2 }
}
