run "\u001b[31mred" {
  command = ["true"]
}

run "b" {
  command = [var.x]
  ‮description = "y"
}
