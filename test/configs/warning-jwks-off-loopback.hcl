# warning: 3:17 over plain HTTP
agent_tokens {
  jwks_listen = "0.0.0.0:7490"
  key         = "/etc/fettle/agent-token.key"
}
identity {
  certificate = "/etc/fettle/svid.pem"
  key         = "/etc/fettle/svid.key"
  bundle      = "/etc/fettle/bundle.pem"
}
grant_key = "/etc/fettle/grant.key"
temporal {
  address = "temporal.example.com:7233"
}
server_config {
}
