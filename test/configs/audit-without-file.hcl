# error: 6:1 is missing; write file = <path>
limit "x" {
  kind  = "concurrency"
  value = 1
}
audit {}
