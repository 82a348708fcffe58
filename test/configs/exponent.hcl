# error: 2:15 numbers with an exponent
max_actions = 1e3
