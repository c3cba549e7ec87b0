locals {
  a = [for x of [1] : x]
  b = { for k, v in {} k => v }
  c = { for k, v in {} : k, v }
}
