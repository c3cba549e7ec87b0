upgrade "orthid" {
  from = ">= 2.6.0"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}
