upgrade "orthid" {
  from = ">= 2.8.0"
  to   = "2.7.1"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}
