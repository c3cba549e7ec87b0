upgrade "orthid" {
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}

roll "app" {
}

probe "p" {
  during = []
  request {
    url = "http://127.0.0.1/"
  }
}

probe "q" {
  during = [roll.app]
  every  = "0s"
  request {
    url = "http://127.0.0.1/"
  }
}
