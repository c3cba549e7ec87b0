locals {
  of_b = run.b.value
}

run "a" {
  for_each = local.of_b
  command  = ["echo", each.key]
}

run "b" {
  command    = ["true"]
  depends_on = [run.a]
}
