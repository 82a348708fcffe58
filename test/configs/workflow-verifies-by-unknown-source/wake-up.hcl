# error: 7:12 there is no source prometheus.other; did you mean prometheus.main?
# error: 10:24 there is no notify block oncal; did you mean oncall?
step "ask" {
  action = "ping"
}
verify {
  source = "prometheus.other"
  query  = "up"
}
on_failure { notify = ["oncal"] }
