locals {
  a = upper()
  b = upper("x", "y")
  c = join(",", "x")
  d = substr("abc", 5, 1)
  e = regex("(", "x")
  f = jsondecode("{")
  g = format("%d", "x")
  h = tonumber("x")
}
