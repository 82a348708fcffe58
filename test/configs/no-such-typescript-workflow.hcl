# error: 1:1 there is no TypeScript workflow no-such-typescript-workflow
description = "no steps, so TypeScript"
