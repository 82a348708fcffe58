# error: 2:15 heredocs
description = <<EOT
many lines
EOT
