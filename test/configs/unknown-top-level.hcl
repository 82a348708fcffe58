# error: 3:1 did you mean workflow_rule?
server_config {}
workflow_rules "x" {}
