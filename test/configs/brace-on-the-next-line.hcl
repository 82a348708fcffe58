# kind: coordinator
# error: 4:1 server_config stands alone
# error: 5:1 a block begins with its name
server_config
{
}
