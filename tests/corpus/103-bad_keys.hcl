approve "go" {
  keys     = ["not a key"]
  deadline = "tomorrow"
}
