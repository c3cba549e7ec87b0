locals {
  a = provider::aws::arn("x")
}
