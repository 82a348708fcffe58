# error: 2:17 operators and other expressions (*)
max_actions = 2 * 2
