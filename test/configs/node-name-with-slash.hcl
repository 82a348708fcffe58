# error: 2:6 is no place name
node "web/1" {
  type       = "web"
  datacenter = "dc1"
}
