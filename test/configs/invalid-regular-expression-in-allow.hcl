# error: 3:19 is no regular expression
allow "systemd.restart" {
  args = { unit = "(" }
}
