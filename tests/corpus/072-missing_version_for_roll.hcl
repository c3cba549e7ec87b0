release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}

roll "app" {
}
