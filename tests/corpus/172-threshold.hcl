approve "go" {
  keys      = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH ann@laptop"]
  threshold = 2
}

approve "word" {
  threshold = 0
}

approve "rsa" {
  keys = ["ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== ann@laptop"]
}
