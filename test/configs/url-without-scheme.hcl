# error: 3:9 is no URL
source "prometheus" "main" {
  url = "127.0.0.1:9090"
}
