# OrthID 2.6 → 2.7.1: a minor upgrade with migrations.
#
# 2.7.0 brings two migrations. Both are backward compatible, so that the 2.6 pods go on serving while the new ones roll
# out, and the release can be rolled back without touching the database.
#
#   orthid validate plans/orthid-2.7.hcl
#   orthid plan plans/orthid-2.7.hcl -out upgrade.plan
#   orthid apply upgrade.plan

upgrade "orthid" {
  # Installed versions that this plan was written and reviewed for. Another one stops the plan before anything happens.
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1"
}

variable "context" {
  type        = string
  default     = null
  description = "kubeconfig context; the current one where it is not given"
}

variable "namespace" {
  type        = string
  default     = "orthid"
  description = "Namespace of the release"
}

variable "repository" {
  type        = string
  default     = null
  description = "Chart repository URL; helm's own configuration where it is not given"
}

variable "base_url" {
  type        = string
  default     = "http://127.0.0.1:30080"
  description = "Where OrthID answers, as seen from here"

  validation {
    condition     = startswith(var.base_url, "http://") || startswith(var.base_url, "https://")
    error_message = "base_url must be an http:// or https:// URL."
  }
}

locals {
  # Of the demo installation. A real plan signs in as a user that exists for this.
  email = "demo@orthid.example"
}

release "orthid" {
  context    = var.context
  namespace  = var.namespace
  chart      = "orthid/orthid"
  repository = var.repository
  workloads  = ["deployment/orthid-api"]

  values {
    policy = "reuse"
  }
}

# Read from the environment when a step needs it: never stored in a plan, never printed, never on a command line.
database "main" {
  url = env("ORTHID_DATABASE_URL")
}

backup "before" {
  description = "Dump the database"
  database    = database.main
  to          = "backups"
}

# A backup that was never restored is a hope. This restores it into a scratch database, compares row counts and runs the
# checks below in the copy.
verify "before" {
  description = "Restore the dump into a scratch database and compare"
  backup      = backup.before.id

  checks = [
    "select count(*) > 0 from users",
    "select count(*) > 0 from signing_keys",
  ]
}

migrate "schema" {
  description = "Bring the schema up to 2.7"
  backup      = verify.before.id # only a verified backup is accepted here
  exec        = ["orthid", "migrate", "up"]
  status      = ["orthid", "migrate", "status", "--json"]
  timeout     = "10m"
}

roll "app" {
  description = "Roll the release to 2.7.1"
  version     = hop.to
  atomic      = true
  timeout     = "5m"

  rollback {} # helm rollback to the revision that was live before
}

smoke "sign_in" {
  description = "Sign in, verify the token, ask who we are, refresh"

  request "sign_in" {
    method = "POST"
    url    = "${var.base_url}/v1/sign-in"
    json = {
      email    = local.email
      password = env("ORTHID_DEMO_PASSWORD")
    }

    expect {
      status  = 200
      latency = "2s"

      # The token verifies against the keys that OrthID publishes.
      jwt {
        pointer  = "/access_token"
        jwks_url = "${var.base_url}/.well-known/jwks.json"
      }
    }

    capture {
      access_token  = "/access_token"
      refresh_token = "/refresh_token"
    }
  }

  request "me" {
    url     = "${var.base_url}/v1/me"
    headers = { authorization = "Bearer ${capture.access_token}" }

    expect {
      status = 200
      json   = { "/email" = local.email }
    }
  }

  request "refresh" {
    method = "POST"
    url    = "${var.base_url}/v1/token/refresh"
    json   = { refresh_token = capture.refresh_token }

    expect {
      status = 200
    }
  }

  request "version" {
    url = "${var.base_url}/v1/version"

    expect {
      status = 200
      json   = { "/version" = hop.to }
    }
  }
}
