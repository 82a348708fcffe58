# error: 3:9 a value is missing
constraint {
  kind =
}
