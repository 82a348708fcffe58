# error: 2:1 the name verify is taken by the looks
step "verify" {
  action = "ping"
}
verify {
  action = "ping"
}
