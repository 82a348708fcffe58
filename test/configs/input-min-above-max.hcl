# error: 5:10 is less than min (3)
input "a" {
  type = "number"
  min  = 3
  max  = 2
}
step "s" {
  action = "ping"
}
