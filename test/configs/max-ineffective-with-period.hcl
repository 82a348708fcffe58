# error: 8:12 maxIneffective knows no period; take it away
step "s" {
  action = "ping"
}
constraint {
  kind   = "maxIneffective"
  value  = 3
  period = "1h"
}
