upgrade "orthid" {
  from = "two"
  to   = "v2.7.1"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}
