# loads
node "web-1" {
  type       = "web"
  datacenter = "dc1"
}
node "web-2" {
  type       = "web"
  datacenter = "dc1"
}
node "web-3" {
  type       = "web"
  datacenter = "dc1"
}
node "db-1" {
  type       = "database"
  datacenter = "dc1"
}
