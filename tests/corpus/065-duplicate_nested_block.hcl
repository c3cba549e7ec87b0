run "a" {
  command = ["true"]
  retry {
    attempts = 1
  }
  retry {
    attempts = 2
  }
}
