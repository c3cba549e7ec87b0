run {
  command = ["true"]
}

checkpoint {
}
