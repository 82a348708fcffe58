# error: 2:1 what = "journal" means something else to disk.clean
clean "journal" {
  directory  = "/var/lib/app/spool"
  pattern    = ".*"
  older_than = "7d"
}
