run "a" {
  command = ["true" "x"]
}
