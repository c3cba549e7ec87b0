run "a" {
  command = ["a\qb", "\u12", "\xff"]
}
