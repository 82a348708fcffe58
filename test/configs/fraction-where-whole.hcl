# error: 2:15 out of range
max_actions = 2.5
