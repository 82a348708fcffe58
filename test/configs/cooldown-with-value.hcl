# error: 7:12 cooldown counts nothing, so there is no number to write; take value away
step "s" {
  action = "ping"
}
constraint {
  kind   = "cooldown"
  value  = 2
  period = "10m"
}
