# error: 2:11 "b" is one label too many
input "a" "b" {}
step "s" {
  action = "ping"
}
