run "a" {
  command = ["true", "x"
}

run "b" {
  command = "true"
}
