# -var env=prod
variable "env" {
  type = string
  validation {
    condition     = contains(["staging", "production"], var.env)
    error_message = "env must be staging or production, not ${var.env}."
  }
  validation {
    condition     = strlen(var.env) > 5
    error_message = "env is too short."
  }
}
