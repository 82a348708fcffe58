# error: 4:14 absent.ics: there is no such file or folder; create it, or mend the path
window "freeze" {
  changes  = "forbidden"
  calendar = "absent.ics"
}
