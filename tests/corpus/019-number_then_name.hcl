run "a" {
  command = ["true"]
  timeout = 10m
}
