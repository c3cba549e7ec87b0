run "a" {
  command    = [var.nme, local.x, backup.befor.id, database.main, release.orthid.namespace]
  depends_on = [checkpoint.nowhere]
}

variable "name" {
  default = "x"
}
