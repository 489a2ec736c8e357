# What the module says of its variables holds here, checks included: ../../modules/server/variables.tf

variable "name" {
  type        = string
  default     = "cellgate-production"
  description = "Name of the server."
}

variable "region" {
  type        = string
  description = "DigitalOcean region."
}

variable "size" {
  type        = string
  default     = "s-2vcpu-4gb"
  description = "Size of the server."
}

variable "volume_gb" {
  type        = number
  default     = 25
  description = "Size of the volume for releases, inbox and outbox."
}

variable "operator_keys" {
  type        = map(string)
  description = "Public keys of the persons who administer the server, by name."
}

variable "deploy_keys" {
  type        = list(string)
  description = "Public keys that may deploy and do nothing else."
}

variable "host_key_file" {
  type        = string
  default     = "host_key"
  description = "File with the server's own private key, made by ssh-keygen -t ed25519 -N '' -f host_key. Never commit it."
}

variable "agent" {
  type = object({
    url    = string
    sha256 = string
  })
  default     = null
  description = "Where the server fetches its cellgate binary, and the digest it must have."
}

variable "ssh_from" {
  type        = list(string)
  description = "Networks that may reach SSH."
}

variable "allow_world_ssh" {
  type        = bool
  default     = false
  description = "Lets ssh_from hold 0.0.0.0/0."
}

variable "alert_emails" {
  type        = list(string)
  description = "Who is told when the server is in trouble."
}
