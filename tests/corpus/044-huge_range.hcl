locals {
  a = range(100000000000)
}
