# error: 2:15 is empty; write a path
actions_dir = ""
