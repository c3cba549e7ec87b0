smoke "a" {
  request "x" {
    method = "FETCH"
    url    = "127.0.0.1/healthz"
    expect {
      status = [200, 999]
      json   = { "email" = "x" }
    }
    capture {
      token = "access_token"
    }
  }
}
