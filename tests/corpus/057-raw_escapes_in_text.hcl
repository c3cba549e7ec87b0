run "a[2Jb" {
  comand = [""]
}
