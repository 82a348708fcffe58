# error: 4:1 closes nothing
server_config {
}
}
