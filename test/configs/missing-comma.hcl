# error: 4:28 a comma is missing between two items
server_config {
  route_rule {
    uris = ["spiffe://a/b" "spiffe://a/c"]
  }
}
