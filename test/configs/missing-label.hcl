# error: 2:1 the name is missing
source "prometheus" {
  url = "http://h"
}
