run "a" {
  command = ["true"]
  env {
    A = "x"
  }
}
