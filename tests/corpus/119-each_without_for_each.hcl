run "a" {
  command = [each.key, each.vlaue]
}

run "b" {
  for_each = ["x"]
  command  = [each.name]
}
