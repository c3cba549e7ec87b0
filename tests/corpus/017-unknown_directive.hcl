run "a" {
  command = ["%{ while true }x%{ endwhile }"]
}
