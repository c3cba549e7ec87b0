run "a" {
  comand = ["true"]
  command = [var.x]
}
