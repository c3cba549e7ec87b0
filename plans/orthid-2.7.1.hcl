# OrthID 2.7.0 → 2.7.1: a patch.
#
# A patch changes no schema, so there is nothing to migrate and nothing to back up: roll, look, and roll back where what
# we see is wrong. A patch release that does declare a migration is refused when the plan is made.

upgrade "orthid" {
  from = "2.7.0"
  to   = "2.7.1"
}

variable "context" {
  type    = string
  default = null
}

variable "repository" {
  type    = string
  default = null
}

variable "base_url" {
  type    = string
  default = "http://127.0.0.1:30080"
}

release "orthid" {
  context    = var.context
  namespace  = "orthid"
  chart      = "orthid/orthid"
  repository = var.repository
  workloads  = ["deployment/orthid-api"]

  values {
    policy = "reuse"
  }
}

roll "app" {
  timeout = "5m"

  rollback {}
}

smoke "healthy" {
  # A Service may hand the first requests to a pod that is draining.
  retry {
    attempts  = 5
    delay     = "1s"
    max_delay = "5s"
  }

  request "ready" {
    url = "${var.base_url}/readyz"

    expect {
      status  = 200
      latency = "1s"
    }
  }

  request "version" {
    url = "${var.base_url}/v1/version"

    expect {
      json = { "/version" = hop.to }
    }
  }
}
