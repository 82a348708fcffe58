# error: 9:16 is already that of node "web-1"
node "web-1" {
  type       = "web"
  datacenter = "dc1"
  machine_id = "4f1c2a77b0e94c5aa7d1f6a3b2c90e11"
}
node "web-2" {
  type       = "web"
  machine_id = "4f1c2a77b0e94c5aa7d1f6a3b2c90e11"
  datacenter = "dc1"
}
