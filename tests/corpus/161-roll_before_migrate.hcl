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

backup "before" {
  database = database.main
}

verify "before" {
  backup = backup.before.id
}

migrate "schema" {
  backup = verify.before.id
  exec   = ["orthid", "migrate", "up"]
  status = ["orthid", "migrate", "status", "--json"]
}

roll "app" {
  depends_on = [verify.before]
}
