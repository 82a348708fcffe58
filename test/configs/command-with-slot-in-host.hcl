# error: 4:11 has a slot in its host; an input may stand behind the host only
command "drain" {
  http {
    url = "https://{pool}.example.com/drain"
  }
  input "pool" {
    pattern = "[a-z]+"
  }
}
