locals {
  a = "x" "y"
  b = 1 +
  c = * 2
}
