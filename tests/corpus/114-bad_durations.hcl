run "a" {
  command = ["true"]
  timeout = "10"
}

run "b" {
  command = ["true"]
  timeout = "30m1h"
}

run "c" {
  command = ["true"]
  timeout = "-5s"
}

run "d" {
  command = ["true"]
  timeout = "500d"
}

run "e" {
  command = ["true"]
  timeout = 600
}
