roll "app" {
  version = "2.7.1"
}
