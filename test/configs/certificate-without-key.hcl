# error: 12:19 stands without key
grant_key = "g"
server_config {}
identity {
  certificate = "a"
  key         = "b"
  bundle      = "c"
}
temporal {
  address = "127.0.0.1:7233"
  tls {
    certificate = "c.pem"
  }
}
