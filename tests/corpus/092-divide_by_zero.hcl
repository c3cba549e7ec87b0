locals {
  a = 1 / 0
  b = 1 % 0
  c = 1e308 * 10
}
