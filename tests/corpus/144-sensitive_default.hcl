variable "password" {
  sensitive = true
  default   = "hunter2"
}

variable "list" {
  sensitive = true
  type      = list(string)
}
