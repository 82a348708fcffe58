# kind: coordinator
# error: 4:1 name is already set at
name = "a"
name = "b"
