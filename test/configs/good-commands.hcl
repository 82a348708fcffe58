# loads
command "reindex" {
  argv           = ["/usr/local/bin/search", "reindex", "--shard={shard}"]
  user           = "search"
  memory_max     = "2G"
  tasks_max      = 64
  protect_system = "strict"
  writable       = ["/var/lib/search"]
  secrets        = { SEARCH_TOKEN = "search-token" }
  input "shard" {
    pattern = "[0-9]{1,3}"
  }
}
command "drain" {
  timeout = "20s"
  secrets = { LB_TOKEN = "lb-token" }
  http {
    method        = "PUT"
    url           = "https://lb.example.com/api/pools/{pool}/members/self"
    headers       = { Authorization = "Bearer {LB_TOKEN}", Content-Type = "application/json" }
    body          = "{\"state\": \"drain\", \"why\": \"{why}\"}"
    expect_status = [200, 202, 204]
  }
  input "pool" {
    pattern = "[a-z-]{1,40}"
  }
  input "why" {
    pattern = "[^]{0,200}"
  }
}
