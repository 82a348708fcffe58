# error: 2:16 NUL
description = "\u0000"
