# error: 6:3 did you mean enable_tls
# error: 9:22 did you mean GET
# error: 10:23 does not begin with /
# error: 11:23 it does not begin with spiffe://
server_config {
  enable_tsl = true
  route_rule {
    name           = "a"
    method         = "get"
    route_patterns = ["v1"]
    uris           = ["example.com/a"]
  }
}
