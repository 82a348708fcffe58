# error: 5:3 stands together with bearer_file
source "prometheus" "main" {
  url         = "http://h"
  bearer_file = "token"
  basic {
    username      = "u"
    password_file = "p"
  }
}
