run "a" {
  command = ["true"]
  rollback {}
}
