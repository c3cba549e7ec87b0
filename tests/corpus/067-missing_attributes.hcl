upgrade "orthid" {
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}
database "main" {
  url = env("ORTHID_DATABASE_URL")
}

backup "b" {
}

verify "v" {
}

migrate "m" {
}

run "r" {
}

probe "p" {
}
