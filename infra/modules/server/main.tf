locals {
  tags = ["cellgate", var.name]
}

resource "digitalocean_ssh_key" "operator" {
  for_each   = var.operator_keys
  name       = "${var.name}-${each.key}"
  public_key = each.value
}

# Releases, inbox and outbox. The server may be thrown away; this may not.
resource "digitalocean_volume" "data" {
  name                     = "${var.name}-data"
  region                   = var.region
  size                     = var.volume_gb
  description              = "Releases, inbox and outbox of ${var.name}"
  initial_filesystem_type  = "ext4"
  initial_filesystem_label = "cellgate"
  tags                     = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "digitalocean_droplet" "server" {
  name     = var.name
  region   = var.region
  image    = var.image
  size     = var.size
  vpc_uuid = var.vpc_uuid
  tags     = local.tags

  # With at least one key DigitalOcean mails no root password; root itself may not log in.
  ssh_keys      = [for key in digitalocean_ssh_key.operator : key.fingerprint]
  volume_ids    = [digitalocean_volume.data.id]
  user_data     = local.user_data
  monitoring    = true
  droplet_agent = false

  lifecycle {
    # Both destroy the server when they change, and an edited comment must not do that. A person
    # who means it says so: terraform apply -replace=module.server.digitalocean_droplet.server
    ignore_changes = [user_data, ssh_keys]

    precondition {
      condition     = length(local.user_data) < 65536
      error_message = "The rendered cloud-init is longer than the 64 KiB that DigitalOcean takes."
    }
  }
}

# The address outlives the server, so that neither secrets nor pins change with it.
resource "digitalocean_reserved_ip" "server" {
  region = var.region

  lifecycle {
    # Set by the assignment below.
    ignore_changes = [droplet_id]
  }
}

resource "digitalocean_reserved_ip_assignment" "server" {
  ip_address = digitalocean_reserved_ip.server.ip_address
  droplet_id = digitalocean_droplet.server.id
}
