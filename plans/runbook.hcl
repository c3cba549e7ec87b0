# A runbook: no release, no upgrade, no cluster. The same engine over commands and checks, with its journal, its resume
# and its unwinding.
#
#   orthid apply plans/runbook.hcl

variable "services" {
  type        = list(string)
  default     = ["api", "worker", "mailer"]
  description = "What is restarted"
}

variable "root" {
  type    = string
  default = "."
}

locals {
  flag = "${var.root}/maintenance.flag"
}

approve "window" {
  description = "Somebody says that now is a good time"
}

run "maintenance_on" {
  description = "Show the maintenance page"
  command     = ["touch", local.flag]
  observe     = ["test", "-e", local.flag] # 0: done, 1: not done
  undo        = ["rm", "-f", local.flag]

  rollback {}
}

run "restart" {
  for_each    = toset(var.services)
  description = "Restart ${each.key}"
  depends_on  = [run.maintenance_on]
  command     = ["echo", "restarting ${each.value}"]
  idempotent  = true
  timeout     = "2m"

  retry {
    attempts = 5
    delay    = "2s"
  }
}

# Every restart, joined: what follows names one step and not three.
checkpoint "restarted" {
  depends_on = [run.restart]
}

run "maintenance_off" {
  description = "Take the maintenance page down"
  depends_on  = [checkpoint.restarted]
  command     = ["rm", "-f", local.flag]
  idempotent  = true
}
