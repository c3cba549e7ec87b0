variable "a" {
  type = strng
}

variable "b" {
  type = list
}

variable "c" {
  type = "string"
}

variable "d" {
  type = lst(string)
}

variable "e" {
  type = object(string)
}

variable "f" {
  type = optional(string)
}
