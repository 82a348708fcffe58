# error: 3:11 maxIneffective cannot hold across workflows: it judges one remedy by its own results; write it as a constraint in the file of that workflow
limit "breaker" {
  kind  = "maxIneffective"
  value = 5
}
