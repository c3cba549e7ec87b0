run "a" {
  command = ["echo", "x: ${[1]} and ${{ a = 1 }}"]
}
