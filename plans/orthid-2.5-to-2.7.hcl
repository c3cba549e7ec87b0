# OrthID 2.5 → 2.7.1 over two hops.
#
# Minors are crossed one at a time: the path from 2.5.0 is 2.5.0 → 2.6.3 → 2.7.1, through the newest patch of 2.6 that
# the chart repository offers. Every step below is instantiated for each hop, with `hop.from`, `hop.to`, `hop.kind` and
# `hop.index` in scope, and its address carries the version that the hop ends at: `roll.app["2.6.3"]`.
#
#   orthid graph plans/orthid-2.5-to-2.7.hcl --format mermaid

upgrade "orthid" {
  from = ">= 2.5.0, < 2.6.0"
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
    # Old values, on top of the defaults of the new chart: two minors may have added some.
    policy = "reset_then_reuse"
  }
}

database "main" {
  url = env("ORTHID_DATABASE_URL")
}

# One person says yes, once, before the first hop begins.
approve "window" {
  hops     = "first"
  deadline = "4h"
}

# Each hop begins with its own backup, so that a failure in the second loses nothing of the first.
backup "before" {
  database = database.main
  to       = "backups"
}

verify "before" {
  backup = backup.before.id
  checks = ["select count(*) > 0 from signing_keys"]
}

migrate "schema" {
  description = "Bring the schema up to ${hop.to}"
  backup      = verify.before.id
  exec        = ["orthid", "migrate", "up"]
  status      = ["orthid", "migrate", "status", "--json"]
}

roll "app" {
  description = "Roll from ${hop.from} to ${hop.to} (${hop.kind})"
  timeout     = "10m"

  rollback {}
}

smoke "sign_in" {
  request "sign_in" {
    method = "POST"
    url    = "${var.base_url}/v1/sign-in"
    json = {
      email    = "demo@orthid.example"
      password = env("ORTHID_DEMO_PASSWORD")
    }

    expect {
      status = 200
    }
  }

  request "version" {
    url = "${var.base_url}/v1/version"

    expect {
      json = { "/version" = hop.to }
    }
  }
}

# Only when all is done: two hops, one announcement.
run "announce" {
  hops       = "last"
  depends_on = [smoke.sign_in]
  on_failure = "continue"
  command    = ["echo", "OrthID is at ${hop.to}"]
  idempotent = true
}
