# error: 11:11 there is no inventory; write inventory = "..." outside of this block
grant_key = "grant.key"
temporal { address = "127.0.0.1:7233" }
identity {
  certificate = "svid.pem"
  key         = "svid.key"
  bundle      = "bundle.pem"
}
server_config {}
limit "health" {
  kind  = "maxUnavailable"
  value = "5%"
}
