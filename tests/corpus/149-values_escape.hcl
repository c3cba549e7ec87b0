upgrade "x" {
  to = "2.7.1"
}

release "x" {
  namespace = "x"
  chart     = "a/b"
  values {
    files = ["../prod.yaml", "values/missing.yaml"]
  }
}
