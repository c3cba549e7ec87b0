run "a" {
  command = ["true"]

run "b" {
  command = ["false"]
}
