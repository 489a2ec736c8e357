output "host" {
  description = "Address of the server."
  value       = module.server.host
}

output "known_hosts" {
  description = "The line to pin."
  value       = module.server.known_hosts
}

output "secrets" {
  description = "Commands that put the repository's secrets in place."
  value       = module.server.secrets
}

output "operator_login" {
  description = "How a person logs in."
  value       = module.server.operator_login
}
