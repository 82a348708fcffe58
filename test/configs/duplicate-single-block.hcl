# error: 3:1 is already written at 2:1; it may stand once
server_config {}
server_config {}
