locals {
  a = file("../secret")
  b = file("/etc/passwd")
  c = file("~/.ssh/id_rsa")
  d = file("missing.txt")
}

run "a" {
  command = ["true"]
  workdir = "../.."
}
