# kind: workflow
# error: 6:10 bare word
# error: 7:13 operators
# error: 10:13 a value is missing
constraint {
  kind = concurrency
  value = 1 + 1
}
input "x" {
  pattern = 
}
