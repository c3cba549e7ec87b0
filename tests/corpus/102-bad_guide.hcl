upgrade "orthid" {
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}

changelog {
  guide "3.0" {
    sha256 = "abc"
  }
  guide "3.0.0" {
    sha256 = "xyz"
  }
}
