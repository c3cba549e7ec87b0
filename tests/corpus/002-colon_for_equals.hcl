run "a" {
  command: ["true"]
  description: "x"
}
