# error: 3:3 enable_tls stands alone
server_config {
  enable_tls
}
