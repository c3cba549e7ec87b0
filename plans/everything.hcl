# Everything that a plan can say, in one place. Not meant to be run as is: a tour.
#
#   orthid validate plans/everything.hcl
#   orthid graph plans/everything.hcl --format svg --out everything.svg

upgrade "orthid" {
  from = ">= 2.6.3, < 2.7.0"
  to   = "2.7.1"
}

# --- Variables: -var, -var-file, ORTHID_VAR_name -----------------------------------------------------------------------

variable "environment" {
  type        = string
  default     = "staging"
  description = "Which installation this is"

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "environment must be staging or production."
  }
}

variable "base_url" {
  type    = string
  default = "http://127.0.0.1:30080"
}

variable "checks" {
  type        = map(string)
  description = "What must be in each database, as SQL that yields true"

  default = {
    main  = "select count(*) > 0 from signing_keys"
    audit = "select true"
  }
}

variable "probe_password" {
  type        = string
  default     = null
  sensitive   = true # read when a step needs it; never stored, never shown
  description = "Password of the user that the probe signs in as"
}

locals {
  is_production = var.environment == "production"
  backups       = "backups/${var.environment}"
  email         = "demo@orthid.example"
  timeout       = local.is_production ? "20m" : "5m"

  # The databases behind the release: one backup and one verification each.
  databases = {
    main  = database.main
    audit = database.audit
  }
  names = sort(keys(local.databases))
}

# --- What is upgraded -------------------------------------------------------------------------------------------------

release "orthid" {
  namespace  = "orthid"
  chart      = "orthid/orthid"
  workloads  = ["deployment/orthid-api"]
  version_of = "chart"

  values {
    policy = "reset_then_reuse"
    set    = { "podAnnotations.upgraded-by" = "orthid" }
  }
}

database "main" {
  url = env("ORTHID_DATABASE_URL")
}

database "audit" {
  url = env("ORTHID_AUDIT_DATABASE_URL")
}

# --- Before -----------------------------------------------------------------------------------------------------------

# No dependency, so it is a gate: everything waits for it.
approve "window" {
  description = "The change window is open"
  when        = local.is_production
  deadline    = "8h"
}

# A custom step: any command, with a way to look before acting and a way back.
run "freeze_sign_ups" {
  description = "Stop new sign-ups while we work"
  command     = ["scripts/sign-ups", "off"]
  workdir     = "."
  env         = { BASE_URL = var.base_url }
  observe     = ["scripts/sign-ups", "are-off"] # 0: done, 1: not done, anything else: unknown
  undo        = ["scripts/sign-ups", "on"]
  exit_codes  = [0, 3] # 3: they were off before

  rollback {}
}

# One instance for each database: backup.each["audit"], backup.each["main"].
backup "each" {
  for_each   = local.databases
  depends_on = [run.freeze_sign_ups]
  database   = each.value
  to         = "${local.backups}/${each.key}"
  timeout    = "30m"

  retry {
    attempts  = 4
    delay     = "5s"
    max_delay = "1m"
  }
}

verify "each" {
  for_each = local.databases
  backup   = backup.each[each.key].id
  checks   = [lookup(var.checks, each.key, "select true")]
}

# Whatever comes after names this, and not every database.
checkpoint "backed_up" {
  depends_on = [verify.each]
}

# --- The change -------------------------------------------------------------------------------------------------------

approve "go" {
  description = "The backups are good: migrate"
  depends_on  = [checkpoint.backed_up]
  when        = local.is_production
}

migrate "schema" {
  depends_on = [approve.go, checkpoint.backed_up]
  backup     = verify.each["main"].id
  exec       = ["orthid", "migrate", "up"]
  status     = ["orthid", "migrate", "status", "--json"]
  via        = "auto"
  workload   = "deployment/orthid-api"
  timeout    = local.timeout

  rollback {
    restore = verify.each["main"].id
  }
}

roll "app" {
  version = hop.to
  atomic  = true
  timeout = local.timeout

  rollback {}
}

# --- Beside it --------------------------------------------------------------------------------------------------------

# From before the migration starts until after the roll has ended: a token minted before must verify all through.
probe "tokens" {
  during = [migrate.schema, roll.app]
  every  = "200ms"

  before "sign_in" {
    method = "POST"
    url    = "${var.base_url}/v1/sign-in"
    json = {
      email    = local.email
      password = var.probe_password
    }

    capture {
      token = "/access_token"
    }
  }

  request {
    url     = "${var.base_url}/v1/me"
    headers = { authorization = "Bearer ${capture.token}" }
    timeout = "2s"

    expect {
      status = 200
    }
  }

  budget {
    failures = 0
    gap      = "2s"
  }
}

# --- After ------------------------------------------------------------------------------------------------------------

smoke "serves" {
  request "ready" {
    url = "${var.base_url}/readyz"

    expect {
      status  = [200, 204]
      latency = "500ms"
    }
  }

  request "keys" {
    url = "${var.base_url}/.well-known/jwks.json"

    expect {
      headers = { content-type = "application/json" }
    }
  }

  request "version" {
    url = "${var.base_url}/v1/version"

    expect {
      json = { "/version" = hop.to }
    }
  }
}

run "thaw_sign_ups" {
  description = "Let people sign up again"
  depends_on  = [smoke.serves]
  command     = ["scripts/sign-ups", "on"]
  idempotent  = true
}

run "announce" {
  depends_on = [run.thaw_sign_ups]
  on_failure = "continue"
  idempotent = true

  command = ["echo", <<-TEXT
    OrthID went from ${hop.from} to ${hop.to}.
    Databases: ${join(", ", local.names)}.
    %{ if local.is_production }Please watch the dashboards.%{ endif }
  TEXT
  ]
}
