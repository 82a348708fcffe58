# error: 69:1 is one constraint too many; write at most 16
step "s" {
  action = "ping"
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
constraint {
  kind  = "concurrency"
  value = 1
}
