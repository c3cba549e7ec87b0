variable "x" {
  default = "y"
}

run "a-${var.x}" {
  command = ["true"]
}
