# loads
allow "ping" {}
allow "systemd.restart" {
  args = { unit = "web\\.service" }
}
