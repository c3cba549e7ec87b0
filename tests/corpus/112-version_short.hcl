upgrade "orthid" {
  to = "2.7"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}

roll "a" {
  version = 2.7
}

roll "b" {
  version = "x.y.z"
}
