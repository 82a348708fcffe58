# error: 2:15 begins with ~
actions_dir = "~/actions.d"
