# Upgrades orthid from 2.6.0 to 2.7.1. Written by `orthid init`: read it, correct it, keep it in git.
#
#   orthid validate upgrade.hcl
#   orthid plan upgrade.hcl -out upgrade.plan
#   orthid apply upgrade.plan

upgrade "orthid" {
  # Installed versions that this plan was written for. Another one stops the plan before anything happens.
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1" # exact; the stops between are computed
}

release "orthid" {
  namespace  = "or\"th$${x}id"
  chart      = "orthid/orthid"
  repository = "https://charts.example"

  # What must have rolled out before the step `roll` is done.
  workloads = ["deployment/orthid-api", "statefulset/cache"]

  values {
    # reuse: the values of the installed release. reset_then_reuse: those, on top of the new chart's defaults.
    policy = "reset_then_reuse"
  }
}

# Read from the environment when a step needs it: never stored in a plan, never printed.
database "main" {
  url = env("ORTHID_DATABASE_URL")
}

backup "before" {
  database = database.main
  to       = "backups" # a folder, in this one
}

# Restores the backup into a scratch database and compares. Only a verified backup stands behind a migration.
verify "before" {
  backup = backup.before.id

  # What must be true in the restored copy, as SQL:
  # checks = ["select count(*) > 0 from users"]
}

migrate "schema" {
  backup = verify.before.id

  # How this app migrates, and how it lists its migrations as JSON: check both.
  exec   = ["orthid", "migrate", "up"]
  status = ["orthid", "migrate", "status", "--json"]
}

roll "app" {
  timeout = "10m"

  rollback {} # helm rollback to the revision that was live before
}

# Where the app answers, as seen from where the plan is applied.
variable "base_url" {
  type    = string
  default = "http://127.0.0.1:8080"
}

# What proves that it works. A sign-in says more than a health check: see plans/orthid-2.7.hcl.
smoke "serves" {
  request "ready" {
    url = "${var.base_url}/readyz"

    expect {
      status = 200
    }
  }
}
