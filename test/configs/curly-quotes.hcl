# kind: coordinator
# error: 6:8 curly quotes
server_config {
  enable_tls = true
}
name = “c1”
