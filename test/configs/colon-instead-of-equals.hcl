# error: 3:7 attributes are written with =; write kind = value
constraint {
  kind: "concurrency"
}
