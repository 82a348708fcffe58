# error: 3:9 the URL holds credentials
notify "x" {
  url = "https://u:hunter2@h/x"
}
agents {}
