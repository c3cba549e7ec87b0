run "a" {
  command = [echo, hello]
  on_failure = stop
}

checkpoint "b" {
  depends_on = [checkpoint]
}
