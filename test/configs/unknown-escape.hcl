# error: 2:18 there is no escape \d
description = "a \d+"
