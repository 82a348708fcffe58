# error: 5:11 {TOKEN} is no input of this command
command "drain" {
  secrets = { TOKEN = "lb-token" }
  http {
    url = "https://lb.example.com/drain?token={TOKEN}"
  }
}
