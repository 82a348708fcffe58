# error: 2:8 this string is never closed on its line
name = "c1
domain = "main"
