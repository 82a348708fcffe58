# error: 10:31 says one_of and min and max; write one of pattern, one_of, units, under, or min and max
# error: 11:20 says nothing; write one of
# error: 14:35 min is above max, so nothing fits
# error: 15:35 min is a duration and max a size
# error: 16:40 is no unit name
# error: 17:39 is not an absolute path
# error: 20:1 systemd.restart has no argument units; did you mean unit?
# error: 24:15 belongs to the system
allow "exec" {
  args = { command = "a", x = { one_of = ["a"], min = 1 },
    y            = {}
  }
}
allow "exec" { args = { command = { max = 1, min = 2 } } }
allow "exec" { args = { command = { min = "1h", max = "5M" } } }
allow "exec" { args = { u = { units = ["web"] } } }
allow "exec" { args = { p = { under = "var/log" } } }

# A never block about an argument that does not exist would forbid nothing.
never "systemd.restart" {
  args = { units = "ssh\\.service" }
}
clean "logs" {
  directory = "/etc/fettle"
  pattern = ".*"
  older_than = "1d"
}
