run "has space" {
  command = ["true"]
}

run "1st" {
  command = ["true"]
}

run "" {
  command = ["true"]
}

run "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" {
  command = ["true"]
}
