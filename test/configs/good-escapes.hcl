# loads
description = "tab\t quote \" slash \\ \u00e9 \U0001F600 $${not.a.template} %%{nor.this} 100% $5"
step "s" {
  action = "ping"
}
