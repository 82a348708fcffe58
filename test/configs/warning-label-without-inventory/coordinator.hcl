# warning: 10:1 there is no inventory, so no node bears the label rack: all are counted together; give the nodes labels = { ... }
grant_key = "grant.key"
temporal { address = "127.0.0.1:7233" }
identity {
  certificate = "svid.pem"
  key         = "svid.key"
  bundle      = "bundle.pem"
}
server_config {}
limit "by-rack" {
  kind  = "concurrency"
  value = 1
  scope = "label:rack"
}
