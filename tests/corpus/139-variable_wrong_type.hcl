# -var count=many
# -var list=3
variable "count" {
  type = number
}

variable "list" {
  type = list(string)
}
