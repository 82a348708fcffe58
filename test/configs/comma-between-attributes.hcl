# error: 3:24 no comma between attributes
constraint {
  kind  = "concurrency",
  value = 1
}
