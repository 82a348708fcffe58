# error: 2:16 for expressions
actions_dir = [for x in y : x]
