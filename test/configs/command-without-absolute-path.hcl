# error: 3:11 is not an absolute path
command "c" {
  argv = ["ls", "-l"]
}
