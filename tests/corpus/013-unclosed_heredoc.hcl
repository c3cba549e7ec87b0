run "a" {
  command = ["echo", <<EOT
hello
]
}
