# error: 3:3 names of attributes stand without quotes
constraint {
  "kind" = "concurrency"
}
