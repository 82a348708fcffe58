# error: 6:11 did you mean concurrency?
step "s" {
  action = "ping"
}
constraint {
  kind  = "concurent"
  value = 1
}
