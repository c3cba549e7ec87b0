# -var password=hunter2
variable "password" {
  sensitive = true
}
