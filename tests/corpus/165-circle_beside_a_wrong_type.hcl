run "a" {
  command    = ["true"]
  depends_on = [run.b]
}

run "b" {
  command = "true"
  env     = { AFTER = run.c.value }
}

run "c" {
  command    = ["true"]
  depends_on = [run.a]
  timeout    = "soon"
}
