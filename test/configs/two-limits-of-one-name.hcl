# error: 6:1 is already written at 2:1; give one of the two another name
limit "a" {
  kind  = "concurrency"
  value = 5
}
limit "a" {
  kind  = "concurrency"
  value = 1
  scope = "label:rack"
}
