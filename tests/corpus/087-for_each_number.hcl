run "a" {
  for_each = 3
  command  = ["true"]
}

run "b" {
  for_each = [1, 2]
  command  = ["true"]
}

run "c" {
  for_each = ["x", "x"]
  command  = ["true"]
}
