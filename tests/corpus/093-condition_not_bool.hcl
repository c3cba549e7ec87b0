locals {
  a = 1 ? 2 : 3
  b = !"x"
  c = true && []
}
