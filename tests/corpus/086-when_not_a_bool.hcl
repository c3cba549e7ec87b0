run "a" {
  command = ["true"]
  when    = 3
}
