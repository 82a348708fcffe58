# error: 3:9 is no URL
source "prometheus" "main" {
  url = "http://"
}
