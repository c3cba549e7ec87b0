run "a" "b" {
  command = ["true"]
}

locals "x" {
}
