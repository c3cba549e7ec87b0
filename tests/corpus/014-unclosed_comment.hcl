run "a" {
  command = ["true"]
}
/* never closed
