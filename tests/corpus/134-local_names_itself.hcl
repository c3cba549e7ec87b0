locals {
  a = local.a
  fine = 1
}
