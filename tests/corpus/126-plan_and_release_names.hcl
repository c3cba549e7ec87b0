upgrade "orthid" {
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}

run "a" {
  command = [plan.nam, release.orthd.namespace, release.orthid.namespce]
}
