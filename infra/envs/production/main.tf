# One server in production. Copy this folder into the repository that holds your infrastructure,
# choose a backend that encrypts the state (it holds the server's first host key), fill in
# terraform.tfvars after the example beside it, and commit the .terraform.lock.hcl that init writes.

terraform {
  required_version = ">= 1.9.0"

  required_providers {
    digitalocean = {
      source  = "digitalocean/digitalocean"
      version = ">= 2.71.0, < 3.0.0"
    }
  }
}

# The token is read from the environment: DIGITALOCEAN_TOKEN.
provider "digitalocean" {}

module "server" {
  source = "../../modules/server"

  name            = var.name
  region          = var.region
  size            = var.size
  volume_gb       = var.volume_gb
  operator_keys   = var.operator_keys
  deploy_keys     = var.deploy_keys
  host_key        = file(var.host_key_file)
  agent           = var.agent
  ssh_from        = var.ssh_from
  allow_world_ssh = var.allow_world_ssh
  alert_emails    = var.alert_emails
}
