# warning: 11:1 5% is less than one node of the fleet (4 nodes), so nothing is ever admitted there; write a number, or at least "25%"
inventory = "inventory.hcl"
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
  scope = "global"
}
