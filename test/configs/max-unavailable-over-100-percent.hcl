# error: 7:11 101 is out of range; write a whole number from 1 to 100
step "s" {
  action = "ping"
}
constraint {
  kind  = "maxUnavailable"
  value = "101%"
}
