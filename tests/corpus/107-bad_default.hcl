variable "a" {
  type    = number
  default = "many"
}

variable "b" {
  type    = list(number)
  default = [1, "x"]
}

variable "c" {
  type    = object({ host = string, port = optional(number, 80) })
  default = { port = 1 }
}
