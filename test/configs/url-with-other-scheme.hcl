# error: 3:9 has the scheme file:
source "prometheus" "main" {
  url = "file:///etc/passwd"
}
