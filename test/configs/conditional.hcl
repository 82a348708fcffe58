# error: 2:20 operators and other expressions (?)
max_actions = true ? 1 : 2
