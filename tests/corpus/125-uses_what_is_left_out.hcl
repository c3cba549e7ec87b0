database "main" {
  url = env("ORTHID_DATABASE_URL")
}

backup "b" {
  when     = false
  database = database.main
}

verify "v" {
  backup = backup.b.id
}
