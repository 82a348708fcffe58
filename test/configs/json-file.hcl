# kind: coordinator
# error: 3:1 a block begins with its name
{ "server_config": { "enable_tls": true } }
