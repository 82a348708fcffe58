# error: 5:20 unknown template ${node.name}
description = "x"
verify {
  source = "prometheus.main"
  query  = "up{a=\"${node.name}\"}"
}
