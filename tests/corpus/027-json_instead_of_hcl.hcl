{
  "run": { "a": { "command": ["true"] } }
}
