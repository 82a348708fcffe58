# error: 2:15 out of range; write a whole number from 1 to 1000
max_actions = 0
