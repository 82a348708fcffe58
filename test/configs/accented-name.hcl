# error: 2:4 cannot be part of a name
café = 1
