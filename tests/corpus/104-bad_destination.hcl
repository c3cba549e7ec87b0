database "main" {
  url = env("ORTHID_DATABASE_URL")
}

backup "b" {
  database = database.main
  to       = "ftp://host/x"
}
