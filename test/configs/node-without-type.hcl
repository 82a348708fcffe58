# error: 2:1 is missing; write type =
node "web-1" {
  datacenter = "dc1"
}
