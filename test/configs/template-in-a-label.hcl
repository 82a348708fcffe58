# error: 2:6 a label is plain text
step "${input.a}" {
  action = "ping"
}
