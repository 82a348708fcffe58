# error: 3:3 unknown attribute enable_tsl; did you mean enable_tls?
server_config {
  enable_tsl = true
}
