run "a" {
  command = [1 2]
  workdir = 
  env = { A = }
}
