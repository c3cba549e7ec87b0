run "a" {
  command = ["true"]
  command = ["false"]
  command = ["maybe"]
}
