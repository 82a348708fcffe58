# kind: workflow
# loads
description = "its steps are code"
