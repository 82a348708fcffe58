# error: 7:12 there is no action pong; did you mean ping?
# error: 8:20 there is no input what
step "s" {
  action = "ping"
}
verify {
  action = "pong"
  expect = { up = "${input.what}" }
}
