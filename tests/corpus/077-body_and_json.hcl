smoke "a" {
  request "x" {
    url  = "http://127.0.0.1/"
    body = "x"
    json = { a = 1 }
  }
}
