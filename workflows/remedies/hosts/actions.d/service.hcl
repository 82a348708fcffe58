# The hook of take-out-of-service and return-to-service, in a file of the agent's actions_dir. A program of the host does it here; where the
# load balancer has an API, write a request instead:
#
#   command "drain" {
#     secrets = { TOKEN = "balancer-token" }
#     http {
#       method  = "PUT"
#       url     = "https://balancer.example.com/pools/web/members/web-1"
#       headers = { Authorization = "Bearer {TOKEN}", Content-Type = "application/json" }
#       body    = "{\"state\": \"drain\"}"
#     }
#   }

command "drain" {
  argv    = ["/usr/local/sbin/service-state", "out"]
  timeout = "2m"
}
command "undrain" {
  argv    = ["/usr/local/sbin/service-state", "in"]
  timeout = "2m"
}
command "is-drained" {
  argv    = ["/usr/local/sbin/service-state", "is-out"]
  timeout = "20s"
}
command "is-serving" {
  argv    = ["/usr/local/sbin/service-state", "is-in"]
  timeout = "20s"
}
