database "main" {
  url = env("ORTHID_DATABASE_URL")
}

backup "b" {
  database = database.main
}

verify "v" {
  backup = backup.b.id
}

verify "w" {
  backup = verify.v.id
}

verify "x" {
  backup = backup.b.file
}

verify "y" {
  backup = "b"
}
