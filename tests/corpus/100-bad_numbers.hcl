run "a" {
  command    = ["true"]
  exit_codes = [0, 256]
  retry {
    attempts = 0
  }
}

run "b" {
  command = ["true"]
  retry {
    attempts = 1.5
  }
}
