# error: 2:1 the name is missing; write it in quotes behind the block's type
limit {
  kind  = "concurrency"
  value = 5
}
