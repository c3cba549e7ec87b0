run "größe" {
  command = ["日本語", var.größe, 日本]
}
