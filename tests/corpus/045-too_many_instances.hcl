locals {
  keys = [for n in range(150000) : tostring(n)]
}

checkpoint "a" {
  for_each = local.keys
}

checkpoint "b" {
  for_each = local.keys
}
