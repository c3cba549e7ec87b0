run "a" {
  command = [true ? "x" : var.missing, false && nothing ? "a" : "b"]
}
