# error: 10:18 stands together with token_from
identity {
  certificate = "/etc/fettle/svid.pem"
  key         = "/etc/fettle/svid.key"
  bundle      = "/etc/fettle/bundle.pem"
}
temporal {
  address      = "temporal.example.com:7233"
  token_from   = "coordinator"
  api_key_file = "/etc/fettle/temporal.token"
}
coordinator {
  issuer     = "spiffe://example.com/coordinator"
  grant_keys = ["/etc/fettle/grant.pub"]
  addresses  = ["https://c1.example.com:7443"]
}
allow "ping" {}
