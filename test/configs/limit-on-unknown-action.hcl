# error: 5:33 there is no action systemd.restrat; did you mean systemd.restart?
limit "restarts" {
  kind    = "concurrency"
  value   = 5
  actions = ["systemd.restart", "systemd.restrat"]
}
