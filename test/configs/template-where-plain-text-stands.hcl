# error: 4:14 ${input.t} cannot stand here
step "a" {
  action  = "ping"
  timeout = "${input.t}"
}
input "t" {}
