run "a" {
  command = ["ÿþ"]
}
