# error: 4:16 reachable from outside
server_config {
  enable_tls = false
  listen     = "0.0.0.0:7443"
}
