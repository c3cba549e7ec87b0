# -var nmespace=x
# -var other=1
variable "namespace" {
  default = "orthid"
}
