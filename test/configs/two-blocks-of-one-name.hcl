# error: 7:1 is already written at 2:1; give one of the two another name
workflow_rule "a" {
  workflows = ["*"]
  uris      = ["anonymous"]
  verbs     = ["run"]
}
workflow_rule "a" {
  workflows = ["*"]
  uris      = ["anonymous"]
  verbs     = ["run"]
}
