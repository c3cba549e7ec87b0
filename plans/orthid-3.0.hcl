# OrthID 2.8 → 3.0.0: a major upgrade with a breaking migration.
#
# 3.0.0's migration renames a column that every 2.x release reads. From its first statement on, the old app can't serve,
# so the app is quiesced first, and the way back is the backup: whatever was written since is lost then. The plan's
# failure map shows what each failure would cost.
#
#   orthid plan plans/orthid-3.0.hcl -out upgrade.plan
#   orthid apply upgrade.plan

upgrade "orthid" {
  from = ">= 2.8.0, < 3.0.0"
  to   = "3.0.0"
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

variable "issuer_url" {
  type        = string
  default     = "https://id.orthid.example"
  description = "What tokens name as their issuer; 3.0.0 requires it"

  validation {
    condition     = startswith(var.issuer_url, "https://")
    error_message = "issuer_url must be an https:// URL, because clients fetch keys from it."
  }
}

variable "approvers" {
  type        = list(string)
  default     = []
  description = "Public keys that may approve; anyone at the terminal where there are none"
}

release "orthid" {
  context    = var.context
  namespace  = "orthid"
  chart      = "orthid/orthid"
  repository = var.repository
  workloads  = ["deployment/orthid-api"]

  values {
    policy = "reset_then_reuse"

    # What 3.0.0 requires and 2.8.0 did not have.
    set = {
      "issuer.url"         = var.issuer_url
      "sessions.accessTtl" = "900" # was session.ttl
    }
  }
}

database "main" {
  url = env("ORTHID_DATABASE_URL")
}

# A major version is entered only with its upgrade guide read. The digest is that of the text that was read:
#   sha256sum guides/3.0.0.md    (in the chart package)
changelog {
  guide "3.0.0" {
    sha256 = "94c1fabc54f519fdcb73b5449a5f9e3cdb6355fa9f0d63c3a66fe23820524c3f"
  }
}

backup "before" {
  database = database.main
  to       = "backups"
  timeout  = "30m"
}

verify "before" {
  backup  = backup.before.id
  timeout = "1h"

  checks = [
    "select count(*) > 0 from users",
    "select count(*) > 0 from signing_keys",
    "select count(*) = 0 from users where email is null",
  ]
}

# After the backup has been proved, and before the app stops.
approve "go" {
  depends_on = [verify.before]
  keys       = var.approvers
  deadline   = "2h"
}

migrate "schema" {
  backup  = verify.before.id
  via     = "job" # 2.8's image does not carry 3.0's migrations
  quiesce = true  # the old app can't run on the new schema
  exec    = ["orthid", "migrate", "up"]
  status  = ["orthid", "migrate", "status", "--json"]
  timeout = "30m"

  # A migration that breaks the old app has no other way back.
  rollback {
    restore = verify.before.id
  }
}

roll "app" {
  timeout = "10m"

  # Helm must not roll back by itself: the old app would meet the new schema. The run unwinds instead: quiesce, restore,
  # roll back, wait until it serves.
  atomic = false

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

      jwt {
        pointer  = "/access_token"
        jwks_url = "${var.base_url}/.well-known/jwks.json"
      }
    }

    capture {
      access_token = "/access_token"
    }
  }

  request "me" {
    url     = "${var.base_url}/v1/me"
    headers = { authorization = "Bearer ${capture.access_token}" }
  }

  # Deprecated in 2.6.0, gone in 3.0.0.
  request "userinfo_is_gone" {
    url = "${var.base_url}/v1/userinfo"

    expect {
      status = 404
    }
  }
}
