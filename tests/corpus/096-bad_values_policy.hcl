upgrade "x" {
  to = "2.7.1"
}

release "x" {
  namespace  = ""
  chart      = "a/b"
  version_of = "image"
  workloads  = ["orthid-api", "cronjob/x"]
  values {
    policy = "resuse"
  }
}
