smoke "a" {
  request "x" {
    url = "http://127.0.0.1/"
  }
  request "x" {
    url = "http://127.0.0.1/"
  }
}
