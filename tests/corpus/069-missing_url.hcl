smoke "a" {
  request "x" {
    method = "GET"
  }
}
