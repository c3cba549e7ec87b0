locals {
  a = 1
}

locals {
  a = 2
  b = 1
  b = 2
}
