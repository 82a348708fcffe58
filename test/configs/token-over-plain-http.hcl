# error: 14:16 no https URL
identity {
  certificate = "/etc/fettle/svid.pem"
  key         = "/etc/fettle/svid.key"
  bundle      = "/etc/fettle/bundle.pem"
}
temporal {
  address    = "temporal.example.com:7233"
  token_from = "coordinator"
}
coordinator {
  issuer     = "spiffe://example.com/coordinator"
  grant_keys = ["/etc/fettle/grant.pub"]
  addresses  = ["http://c1.example.com:7443"]
}
allow "ping" {}
