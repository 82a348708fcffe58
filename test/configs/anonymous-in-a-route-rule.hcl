# error: 7:13 may stand in a workflow_rule only
server_config {
  route_rule {
    name = "r"
    method = "GET"
    route_patterns = ["/*"]
    uris = ["anonymous"]
  }
}
