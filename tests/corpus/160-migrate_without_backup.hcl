upgrade "orthid" {
  to = "2.7.1"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
}

database "main" {
  url = env("ORTHID_DATABASE_URL")
}

migrate "schema" {
  exec   = ["orthid", "migrate", "up"]
  status = ["orthid", "migrate", "status", "--json"]
}

roll "app" {
}
