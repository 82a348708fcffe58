# error: 3:23 a semicolon separates nothing
constraint {
  kind = "concurrency";
}
