database "main" {
  url = env("ORTHID_DATABASE_URL")
}

backup "b" {
  database = database.main
}

locals {
  id = backup.b.id
}

run "a" {
  for_each = [backup.b.id]
  command  = ["true"]
}

run "b" {
  for_each = toset([local.id])
  command  = ["true"]
}

run "c" {
  for_each = split(",", env("LIST"))
  command  = ["true"]
}
