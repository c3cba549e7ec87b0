upgrade "orthid" {
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}

migrate "m" {
  via    = "kubectl"
  exec   = ["x"]
  status = ["y"]
  workload = "orthid-api"
}
