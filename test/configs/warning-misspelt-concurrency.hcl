# warning: 6:11 write concurrency
step "s" {
  action = "ping"
}
constraint {
  kind  = "concurency"
  value = 1
}
