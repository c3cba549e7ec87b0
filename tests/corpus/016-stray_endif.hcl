run "a" {
  command = ["yes%{ endif }"]
}
