# error: 7:11 "2.5%" is no whole number; write e.g. 1, "1" or "5%"
step "s" {
  action = "ping"
}
constraint {
  kind  = "maxUnavailable"
  value = "2.5%"
}
