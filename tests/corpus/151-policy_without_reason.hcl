policy {
  relax "migrate_after_backup" {
    reason = "because"
  }
  relax "roll_after_migrate" {
  }
}
