# error: 4:22 {pth} is no input of this command; did you mean path?
# warning: 5:3 is used nowhere in argv
command "c" {
  argv = ["/bin/ls", "{pth}"]
  input "path" {
    pattern = "/srv/[a-z]+"
  }
}
