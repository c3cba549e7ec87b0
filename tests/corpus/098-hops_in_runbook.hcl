run "a" {
  command = ["true"]
  hops    = "first"
}
