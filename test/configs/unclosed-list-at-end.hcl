# kind: coordinator
# error: 3:8 this [ is never closed
name = ["a",
