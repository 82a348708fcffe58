# error: 8:27 write a number, or a reference to one
# error: 8:32 unknown key most
step "s" {
  action = "ping"
}
verify {
  action = "ping"
  expect = { up = { min = "a", most = 3 } }
}
