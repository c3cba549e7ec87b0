run "a" {
  command     = ["true]
  description = "fine"
  idempotnt   = true
}
