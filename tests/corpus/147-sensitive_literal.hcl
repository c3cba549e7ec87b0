run "a" {
  command = ["login", sensitive("hunter2")]
}
