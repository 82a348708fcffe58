# error: 3:1 is already set at
# error: 10:1 it may stand once
name = "c2"
server_config {
  listen = "127.0.0.1:7443"
}
source "prometheus" "main" {
  url = "http://127.0.0.1:9090"
}
temporal {
  address = "127.0.0.1:7234"
}
