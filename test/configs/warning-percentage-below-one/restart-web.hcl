# warning: 5:1 33% is less than one node of web (3 nodes), database (1 node), so nothing is ever admitted there; write a number, or at least "100%"
step "s" {
  action = "ping"
}
constraint {
  kind  = "maxUnavailable"
  value = "33%"
}
constraint {
  kind  = "maxUnavailable"
  value = "25%"
  scope = "datacenter"
}
