run "a" {
  command     = "true"
  description = ["x"]
  idempotent  = "perhaps"
  exit_codes  = 0
  env         = ["A=b"]
  timeout     = 10
}
