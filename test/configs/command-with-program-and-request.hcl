# error: 3:13 argv is for programs, and this command makes a request
command "c" {
  argv    = ["/bin/true"]
  http {
    url = "http://127.0.0.1:8404/drain"
  }
}
