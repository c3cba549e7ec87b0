run "a" {
  command    = ["true"]
  timout     = "1m"
  idempotant = true
  zzz        = 1
}
