run "a" {
  command = ["true"]
  retry   = { attempts = 3 }
}
