variable "namespace" {
  type = string
}

variable "count" {
}

run "a" {
  command = [var.namespace]
}
