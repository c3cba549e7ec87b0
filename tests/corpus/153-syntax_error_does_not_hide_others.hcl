run "a" {
  command = [,]
}

run "b" {
  comand = ["true"]
}

run "c" {
  command = [var.x]
}
