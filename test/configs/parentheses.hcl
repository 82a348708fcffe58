# error: 2:15 operators and other expressions (()
max_actions = (4)
