terraform {
  required_version = ">= 1.0"
}

resource "null_resource" "x" {}

provider "aws" {}
