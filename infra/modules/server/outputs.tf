output "host" {
  description = "Address of the server, reserved: it stays when the server is replaced."
  value       = digitalocean_reserved_ip.server.ip_address
}

output "known_hosts" {
  description = "The line to pin: the repository's secret SSH_KNOWN_HOSTS."
  value       = local.known_hosts
}

output "host_public_key" {
  description = "The host's public key, to compare with what a client is offered."
  value       = local.host_public_key
}

output "secrets" {
  description = "Commands that put the repository's secrets in place; the private key is read from a file and printed nowhere."
  value       = <<-TEXT
    gh secret set SSH_HOST --env production --body '${digitalocean_reserved_ip.server.ip_address}'
    gh secret set SSH_USERNAME --env production --body 'cellgate'
    gh secret set SSH_KNOWN_HOSTS --env production --body '${local.known_hosts}'
    gh secret set SSH_KEY --env production < deploy_key
    gh secret set SERVER_PASSPHRASE --env production
  TEXT
}

output "operator_login" {
  description = "How a person logs in."
  value       = "ssh cellgate-operator@${digitalocean_reserved_ip.server.ip_address}"
}
