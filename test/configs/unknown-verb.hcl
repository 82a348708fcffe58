# error: 5:16 "start" is not known
workflow_rule "a" {
  workflows = ["*"]
  uris      = ["anonymous"]
  verbs     = ["start"]
}
