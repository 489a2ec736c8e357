variable "name" {
  type        = string
  default     = "cellgate"
  nullable    = false
  description = "Name of the server and, with a suffix, of all that belongs to it."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 32 lowercase letters, digits and hyphens, beginning with a letter and not ending with a hyphen."
  }
}

variable "region" {
  type        = string
  nullable    = false
  description = "DigitalOcean region, for example fra1. Images of patients may not be allowed to leave a country: choose with care."

  validation {
    condition     = can(regex("^[a-z]{3}[0-9]$", var.region))
    error_message = "region must be three letters and a digit, for example fra1."
  }
}

variable "image" {
  type        = string
  default     = "ubuntu-24-04-x64"
  nullable    = false
  description = "Image of the server: an Ubuntu LTS for x64."

  validation {
    condition     = can(regex("^ubuntu-(24|26|28)-04-x64$", var.image))
    error_message = "image must be an Ubuntu LTS from 24.04 on, for example ubuntu-24-04-x64."
  }
}

variable "size" {
  type        = string
  default     = "s-2vcpu-4gb"
  nullable    = false
  description = "Size of the server: a slug that names its memory, at least 4 GB."

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]*-[0-9]+vcpu-[0-9]+gb(-[a-z0-9]+)*$", var.size))
    error_message = "size must be a slug that names processors and memory, for example s-2vcpu-4gb."
  }

  validation {
    condition     = try(tonumber(regex("vcpu-([0-9]+)gb", var.size)[0]) >= 4, false)
    error_message = "size must have at least 4 GB of memory: segmentation of a whole field needs it."
  }
}

variable "volume_gb" {
  type        = number
  default     = 25
  nullable    = false
  description = "Size in GB of the volume for releases, inbox and outbox. It outlives the server and can grow, not shrink."

  validation {
    condition     = var.volume_gb >= 25 && var.volume_gb <= 16384 && floor(var.volume_gb) == var.volume_gb
    error_message = "volume_gb must be a whole number from 25 to 16384."
  }
}

variable "vpc_uuid" {
  type        = string
  default     = null
  description = "Private network to place the server in; null takes the region's default one."

  validation {
    condition     = var.vpc_uuid == null || can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.vpc_uuid))
    error_message = "vpc_uuid must be a UUID, or null."
  }
}

variable "operator_keys" {
  type        = map(string)
  nullable    = false
  description = "Public keys of the persons who administer the server as user `cellgate-operator`, by name."

  validation {
    condition     = length(var.operator_keys) >= 1 && length(var.operator_keys) <= 10
    error_message = "operator_keys must hold 1 to 10 keys: without one nobody can help the server."
  }

  validation {
    condition     = alltrue([for name in keys(var.operator_keys) : can(regex("^[a-z0-9][a-z0-9._-]{0,62}$", name))])
    error_message = "operator_keys: a name is lowercase letters, digits, dots, hyphens and underscores."
  }

  validation {
    condition     = alltrue([for key in values(var.operator_keys) : can(regex(local.public_key_regex, key))])
    error_message = "operator_keys must be public keys on one line: ssh-ed25519, sk-…, ecdsa-… or ssh-rsa, then the key, then a comment or nothing."
  }
}

variable "deploy_keys" {
  type        = list(string)
  nullable    = false
  description = "Public keys that may deploy and do nothing else. Two while one replaces the other."

  validation {
    condition     = length(var.deploy_keys) >= 1 && length(var.deploy_keys) <= 5
    error_message = "deploy_keys must hold 1 to 5 keys."
  }

  validation {
    condition     = alltrue([for key in var.deploy_keys : can(regex(local.public_key_regex, key))])
    error_message = "deploy_keys must be public keys on one line: ssh-ed25519, sk-…, ecdsa-… or ssh-rsa, then the key, then a comment or nothing."
  }

  validation {
    condition     = length(setintersection(toset(var.deploy_keys), toset(values(var.operator_keys)))) == 0
    error_message = "deploy_keys and operator_keys must differ: the key on the runner must not open a shell."
  }
}

variable "host_key" {
  type        = string
  nullable    = false
  sensitive   = true
  description = "The server's own ed25519 private key, made by `ssh-keygen -t ed25519 -N ''`. It lands in the state and in the server's metadata: see README.md."

  validation {
    condition     = can(regex("^-----BEGIN OPENSSH PRIVATE KEY-----\\n[A-Za-z0-9+/=\\n]+\\n-----END OPENSSH PRIVATE KEY-----\\n*$", var.host_key))
    error_message = "host_key must be an OpenSSH private key with Unix line ends, the whole file."
  }

  validation {
    condition     = can(regex("^-----BEGIN [A-Z ]+-----\\n${local.host_key_head}[A-Za-z0-9+/=\\n]{220,}\\n-----END ", var.host_key))
    error_message = "host_key must be an ed25519 key without a passphrase: make it with ssh-keygen -t ed25519 -N ''."
  }
}

variable "agent" {
  type = object({
    url    = string
    sha256 = string
  })
  default     = null
  description = "Where the server fetches its cellgate binary, and the digest it must have; null leaves its installation to the operator."

  validation {
    condition     = var.agent == null || can(regex("^https://[A-Za-z0-9._~:/?=&%+-]+$", var.agent.url))
    error_message = "agent.url must begin with https:// and hold no spaces or quotes."
  }

  validation {
    condition     = var.agent == null || can(regex("^[0-9a-f]{64}$", var.agent.sha256))
    error_message = "agent.sha256 must be 64 lowercase hexadecimal digits."
  }
}

variable "ssh_from" {
  type        = list(string)
  nullable    = false
  description = "Networks that may reach SSH. GitHub's own runners have no fixed ones: use a self-hosted runner, or set allow_world_ssh."

  validation {
    condition     = length(var.ssh_from) > 0 && alltrue([for cidr in var.ssh_from : can(cidrhost(cidr, 0))])
    error_message = "ssh_from must be networks such as 198.51.100.0/24, at least one."
  }

  validation {
    condition     = var.allow_world_ssh || alltrue([for cidr in var.ssh_from : try(tonumber(split("/", cidr)[1]) >= (strcontains(cidr, ":") ? 16 : 8), true)])
    error_message = "ssh_from opens SSH to the whole world, or to a large part of it: name your networks, or set allow_world_ssh to say that you mean it."
  }
}

variable "allow_world_ssh" {
  type        = bool
  default     = false
  nullable    = false
  description = "Lets ssh_from hold 0.0.0.0/0. Logins are by key alone, so this is defensible, but it is a decision."
}

variable "metrics_from" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "Networks that may read node_exporter on port 9100; empty keeps it on the server."

  validation {
    condition     = alltrue([for cidr in var.metrics_from : can(cidrhost(cidr, 0)) && try(tonumber(split("/", cidr)[1]) >= (strcontains(cidr, ":") ? 16 : 8), false)])
    error_message = "metrics_from must be networks such as 10.114.0.0/20; metrics are not for the whole world."
  }
}

variable "alert_emails" {
  type        = list(string)
  nullable    = false
  description = "Who is told of a full disk, of too little memory, of a server that is gone. DigitalOcean must know the addresses as verified."

  validation {
    condition     = length(var.alert_emails) > 0 && alltrue([for address in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alert_emails must be e-mail addresses, at least one."
  }
}

variable "uptime_check" {
  type        = bool
  default     = true
  nullable    = false
  description = "Whether DigitalOcean pings the server from outside. It opens ICMP to the world."
}
