run "a" {
  command =
  workdir = "x"
}
