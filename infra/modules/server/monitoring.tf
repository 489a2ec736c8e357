locals {
  # Shares in percent, and how long each must hold before somebody is told.
  alerts = {
    cpu    = { type = "v1/insights/droplet/cpu", above = 90, window = "30m", help = "processors busy" }
    memory = { type = "v1/insights/droplet/memory_utilization_percent", above = 90, window = "10m", help = "memory in use" }
    disk   = { type = "v1/insights/droplet/disk_utilization_percent", above = 80, window = "5m", help = "disk in use; deploys are refused before it is full" }
  }
}

resource "digitalocean_monitor_alert" "server" {
  for_each    = local.alerts
  type        = each.value.type
  compare     = "GreaterThan"
  value       = each.value.above
  window      = each.value.window
  description = "${var.name}: more than ${each.value.above} % ${each.value.help}"
  enabled     = true
  entities    = [digitalocean_droplet.server.id]

  alerts {
    email = var.alert_emails
  }
}

resource "digitalocean_uptime_check" "server" {
  count   = var.uptime_check ? 1 : 0
  name    = var.name
  type    = "ping"
  target  = digitalocean_reserved_ip.server.ip_address
  regions = ["us_east", "eu_west"]
}

resource "digitalocean_uptime_alert" "server" {
  count      = var.uptime_check ? 1 : 0
  name       = "${var.name} is down"
  check_id   = digitalocean_uptime_check.server[0].id
  type       = "down_global"
  period     = "2m"
  comparison = "less_than"
  threshold  = 1

  notifications {
    email = var.alert_emails
  }
}
