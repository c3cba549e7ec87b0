run "app" {
  command = ["true"]
}

checkpoint "x" {
  depends_on = [roll.app]
}
