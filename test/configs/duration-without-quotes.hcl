# error: 3:9 10m is no number; quote it: "10m"
verify {
  for = 10m
}
