run "a" {
  command = ["true"]
  retry {
    delay     = "1m"
    max_delay = "1s"
  }
}
