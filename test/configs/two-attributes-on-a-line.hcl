# error: 3:21 each attribute stands on its own line
server_config {
  enable_tls = true listen = "127.0.0.1:1"
}
