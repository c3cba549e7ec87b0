upgrade "orthid" {
  from = ">= 2.6 || 1.x"
  to   = "latest"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}
