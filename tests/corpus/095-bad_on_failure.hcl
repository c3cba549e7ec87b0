run "a" {
  command    = ["true"]
  on_failure = "rolback"
}

run "b" {
  command    = ["true"]
  on_failure = "explode"
}
