# error: 4:13 is a list; write an object
source "prometheus" "main" {
  url     = "http://h"
  headers = ["X: 1"]
}
