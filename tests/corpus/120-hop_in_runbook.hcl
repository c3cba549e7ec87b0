run "a" {
  command = [hop.to]
}
