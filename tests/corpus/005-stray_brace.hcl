run "a" {
  command = ["true"]
}
}

run "b" {
  comand = ["true"]
}
