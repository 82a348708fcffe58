# loads
# one
// two
/* three
   lines */
constraint { # here
  kind  = "concurrency" // there
  value = /* and */ 1
}
step "s" {
  action = "ping"
}
