# kind: workflow
# error: 3:18 directives (%{...}) are not read here
description = "a %{if x} b"
