# error: 2:8 did you mean prometheus?
source "prometeus" "main" {
  url = "http://h"
}
