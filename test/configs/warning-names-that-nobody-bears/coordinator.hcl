# warning: 16:1 there is no workflow restart-wbe; did you mean restart-web?
# warning: 21:1 there is no workflow reboot; write one of: restart-web
# warning: 21:1 the inventory has no node of the type databse; did you mean database?
# warning: 21:1 the inventory has no node in the datacenter dc3; did you mean dc1?
# warning: 21:1 the inventory has no node db-11; did you mean db-1?
# warning: 30:1 no node of the inventory bears the label row: all are counted together; write one of: rack
inventory = "inventory.hcl"
grant_key = "grant.key"
temporal { address = "127.0.0.1:7233" }
identity {
  certificate = "svid.pem"
  key         = "svid.key"
  bundle      = "bundle.pem"
}
server_config {}
limit "restarts" {
  kind      = "concurrency"
  value     = 5
  workflows = ["restart-web", "restart-wbe"]
}
window "freeze" {
  changes     = "forbidden"
  days        = ["sat"]
  workflows   = ["reboot"]
  node_types  = ["databse", "web"]
  datacenters = ["dc1", "dc3"]
  nodes       = ["db-11"]
}

limit "by-row" {
  kind  = "concurrency"
  value = 1
  scope = "label:row"
}
