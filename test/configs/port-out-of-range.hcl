# error: 3:12 is no host:port
server_config {
  listen = "0.0.0.0:70000"
}
