# error: 4:16 is no size; write e.g.
command "c" {
  argv       = ["/bin/true"]
  memory_max = "512 MB"
}
