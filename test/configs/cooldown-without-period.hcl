# error: 5:1 is missing, and cooldown rests for one; write e.g. period = "1h"
step "s" {
  action = "ping"
}
constraint {
  kind = "cooldown"
}
