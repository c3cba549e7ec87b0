run "a" {
  command = [capture.token]
}

smoke "b" {
  request "x" {
    url = "http://127.0.0.1/${capture.later}"
    capture {
      later = "/x"
    }
  }
  request "y" {
    url = "http://127.0.0.1/${capture.lter}"
  }
}
