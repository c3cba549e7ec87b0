run "a" {
  command = ["true"],
  idempotent = true,
}
