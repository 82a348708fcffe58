# error: 2:16 is no character
description = "\ud83d"
