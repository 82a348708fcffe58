# error: 6:12 is no source
step "s" {
  action = "ping"
}
verify {
  source = "main"
  query  = "up"
}
