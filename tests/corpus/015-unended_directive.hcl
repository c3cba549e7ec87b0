run "a" {
  command = ["%{ if true }yes"]
}
