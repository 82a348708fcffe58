# error: 2:15 too large or too long
max_actions = 9007199254740993
