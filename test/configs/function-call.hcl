# error: 2:15 functions (upper) are not read here
description = upper("x")
