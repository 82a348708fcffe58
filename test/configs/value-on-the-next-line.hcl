# kind: workflow
# error: 4:14 a value is missing
# error: 5:3 a string stands alone
description =
  "x"
