# error: 8:12 maxUnavailable knows no period; take it away
step "s" {
  action = "ping"
}
constraint {
  kind   = "maxUnavailable"
  value  = "5%"
  period = "1h"
}
