upgrade "orthid" {
  to = "2.7.1"
}
