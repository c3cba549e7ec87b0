locals {
  a = local.b
  b = local.a
  c = local.d
  d = local.c
  e = local.a
}
