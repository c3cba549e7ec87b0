run "a" {
  command == ["true"]
}
