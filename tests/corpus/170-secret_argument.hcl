variable "token" {
  type      = string
  sensitive = true
}

run "a" {
  command = ["curl", "-H", "authorization: Bearer ${var.token}", "http://127.0.0.1/"]
  observe = ["test", env("PASSWORD"), "=", "x"]
  undo    = ["true"]
  env     = { TOKEN = var.token }
}
