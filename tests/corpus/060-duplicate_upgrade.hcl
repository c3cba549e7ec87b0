upgrade "orthid" {
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}

upgrade "again" {
  to = "2.7.2"
}
