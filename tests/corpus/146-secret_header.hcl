smoke "a" {
  request "x" {
    url     = "http://127.0.0.1/"
    headers = { Authorization = "Bearer abcdef" }
  }
}
