locals {
  list = [1, 2]
  a    = local.list[2]
  b    = local.list["x"]
  c    = local.list.x
  d    = { k = 1 }.kk
  e    = 1[0]
}
