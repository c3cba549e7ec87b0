locals {
  a = semver_compare("2.7", "2.6.0")
  b = semver_satisfies("2.7.1", ">> 1")
}
