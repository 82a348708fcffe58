# error: 2:1 is missing; write uris =
workflow_rule "a" {
  workflows = ["*"]
  verbs     = ["run"]
}
