# error: 5:24 "A" is already set at
agents {}
source "prometheus" "main" {
  url     = "http://h"
  headers = { A = "1", A = "2" }
}
