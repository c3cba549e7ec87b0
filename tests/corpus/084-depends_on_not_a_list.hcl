checkpoint "a" {
}

checkpoint "b" {
  depends_on = 3
}
