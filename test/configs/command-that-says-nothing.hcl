# error: 2:1 says nothing to do; write argv
command "c" {
  timeout = "10s"
}
