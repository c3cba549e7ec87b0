locals {
  a = uper("x")
  b = timestamp()
  c = templatefile("x", {})
  d = frobnicate()
}
