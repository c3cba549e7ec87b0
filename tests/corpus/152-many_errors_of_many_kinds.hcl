upgrade "orthid" {
  from = ">= 2.6"
  to   = "2.7"
}

release "orthid" {
  namespace = var.ns
  chrt      = "orthid/orthid"
}

backup "before" {
  database = database.main
  timeout  = "10 minutes"
}

migrate "schema" {
  backup = verfy.before.id
  exec   = ["orthid", "migrate", "up"]
}

rol "app" {
}

smoke "s" {
  request "r" {
    url = "http://127.0.0.1/"
    expect {
      status = "ok"
    }
  }
}
