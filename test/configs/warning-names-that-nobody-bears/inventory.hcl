# loads
node "web-1" {
  type       = "web"
  datacenter = "dc1"
  labels     = { rack = "r1" }
}
node "db-1" {
  type       = "database"
  datacenter = "dc2"
}
