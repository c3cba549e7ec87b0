variable "x" {
  default = null
}

run "a" {
  command = ["echo", "x: ${var.x}"]
}
