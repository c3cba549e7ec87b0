run "a" {
  description = "grüße"
}
