# env password=hunter2
variable "password" {
  sensitive = true
  validation {
    condition     = strlen(var.password) > 12
    error_message = "password `${var.password}` is too short."
  }
  validation {
    condition     = { a = 1 }[var.password] == 1
    error_message = "unreachable"
  }
}
