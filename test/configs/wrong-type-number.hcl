# error: 2:15 is a string; write a whole number
max_actions = "4"
