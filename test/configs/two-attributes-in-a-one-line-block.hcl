# error: 2:35 a block on one line holds one attribute
constraint { kind = "concurrency" value = 1 }
