# error: 4:13 unknown template
verify {
  source = "prometheus.main"
  query  = "${upper(input.x)}"
}
