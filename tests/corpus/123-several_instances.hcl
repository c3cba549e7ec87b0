database "main" {
  url = env("ORTHID_DATABASE_URL")
}

backup "b" {
  for_each = ["x", "y"]
  database = database.main
}

verify "v" {
  backup = backup.b.id
}

verify "w" {
  backup = backup.b["z"].id
}
