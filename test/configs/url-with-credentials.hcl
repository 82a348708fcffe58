# error: 3:9 the URL holds credentials
source "prometheus" "main" {
  url = "http://user:hunter2@h"
}
