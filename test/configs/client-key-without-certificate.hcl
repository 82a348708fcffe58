# error: 1:1 write certificate and key, or neither
addresses      = ["https://c1:7443"]
coordinator_id = "spiffe://example.com/coordinator"
bundle         = "bundle.pem"
key            = "key.pem"
