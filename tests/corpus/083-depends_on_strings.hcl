checkpoint "a" {
}

checkpoint "b" {
  depends_on = ["checkpoint.a"]
}
