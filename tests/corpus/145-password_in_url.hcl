database "main" {
  url = "postgres://orthid:hunter2@127.0.0.1/orthid"
}

database "other" {
  url = "postgres://orthid:hunter2@${env("HOST")}/orthid"
}

database "third" {
  url = "mysql://127.0.0.1/x"
}
