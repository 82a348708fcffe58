# error: 3:3 listen is an attribute, not a block
server_config {
  listen {}
}
