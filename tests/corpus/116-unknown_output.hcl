database "main" {
  url = env("ORTHID_DATABASE_URL")
}

backup "b" {
  database = database.main
}

run "a" {
  command = [backup.b.ids, backup.b.checksum]
}
