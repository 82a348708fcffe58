# error: 2:15 begins with 0; write 7
max_actions = 007
