# error: 1:1 the block is missing; write temporal { ... }
grant_key = "grant.key"
identity {
  certificate = "a"
  key         = "b"
  bundle      = "c"
}
server_config {}
