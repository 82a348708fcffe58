# error: 2:14 invisible character U+00A0
max_actions = 4
