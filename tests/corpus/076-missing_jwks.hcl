smoke "a" {
  request "x" {
    url = "http://127.0.0.1/"
    expect {
      jwt {
        pointer = "/token"
      }
    }
  }
}
