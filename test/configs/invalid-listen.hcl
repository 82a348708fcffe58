# error: 3:12 is no host:port
server_config {
  listen = "7443"
}
