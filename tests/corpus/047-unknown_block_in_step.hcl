run "a" {
  command = ["true"]
  retrying {
    attempts = 3
  }
}
