upgrade "orthid" {
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1"
}

release "orthid" {
  namespace = env("NS")
  chart     = "orthid/orthid"
}

run "a" {
  command     = ["true"]
  timeout     = env("T")
  description = env("D")
}
