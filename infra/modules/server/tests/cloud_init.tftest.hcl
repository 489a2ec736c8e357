# What the first boot is told, read back from the rendered file.

mock_provider "digitalocean" {
  override_during = plan

  # Real ids of servers are numbers, and the firewall takes them as such.
  mock_resource "digitalocean_droplet" {
    defaults = { id = "1234" }
  }
  mock_resource "digitalocean_reserved_ip" {
    defaults = { id = "203.0.113.10", ip_address = "203.0.113.10" }
  }
}

variables {
  region        = "fra1"
  operator_keys = { ada = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI/e5DDUC9V97qwYbNl5ADPQ8G+QmogG585ucXq3x9UCk ada@lab" }
  deploy_keys   = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIt71VwRt4GwzMQ6puV/na3wZg6dHU4n4Jee5DpAfUVK4 deploy"]
  ssh_from      = ["198.51.100.0/24"]
  alert_emails  = ["lab@example.org"]
  # Made for these tests and known to everybody.
  host_key = <<-KEY
    -----BEGIN OPENSSH PRIVATE KEY-----
    b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
    QyNTUxOQAAACBkFuV/cbu68jjLrF3lbrWoHNTcKkgqXA/OQW40J1xy1wAAAJi2b7Antm+w
    JwAAAAtzc2gtZWQyNTUxOQAAACBkFuV/cbu68jjLrF3lbrWoHNTcKkgqXA/OQW40J1xy1w
    AAAEAEtIThn4MRrgMiIzuiBevryh8ekdEpiI4Mq848fMNh5mQW5X9xu7ryOMusXeVutagc
    1NwqSCpcD85BbjQnXHLXAAAADm1hZGUgZm9yIHRlc3RzAQIDBAUGBw==
    -----END OPENSSH PRIVATE KEY-----
  KEY
}

run "rendered" {
  command = plan

  assert {
    condition     = startswith(local.user_data, "#cloud-config\n")
    error_message = "cloud-init reads a file only after this first line"
  }
  assert {
    condition     = length(local.user_data) < 65536
    error_message = "DigitalOcean takes 64 KiB"
  }
  assert {
    condition     = yamldecode(local.user_data).ssh_keys.ed25519_private == var.host_key
    error_message = "the host key must arrive as it is, down to its last line end"
  }
  assert {
    condition     = yamldecode(local.user_data).ssh_keys.ed25519_public == "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGQW5X9xu7ryOMusXeVutagc1NwqSCpcD85BbjQnXHLX cellgate"
    error_message = "the public host key must be the private one's"
  }
  assert {
    condition     = yamldecode(local.user_data).ssh_pwauth == false && yamldecode(local.user_data).disable_root == true
    error_message = "no passwords, no root"
  }
  assert {
    condition     = [for user in yamldecode(local.user_data).users : [user.name, user.lock_passwd]] == [["cellgate-operator", true]]
    error_message = "one person's user, without a password"
  }
  assert {
    condition     = yamldecode(local.user_data).users[0].ssh_authorized_keys == ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI/e5DDUC9V97qwYbNl5ADPQ8G+QmogG585ucXq3x9UCk ada@lab"]
    error_message = "the operator's key and no other"
  }
  assert {
    condition     = yamldecode(local.user_data).mounts[0][0] == "/dev/disk/by-id/scsi-0DO_Volume_cellgate-data"
    error_message = "the volume is mounted by the name that DigitalOcean gives its device"
  }
  assert {
    condition     = yamldecode(local.user_data).mounts[0][1] == "/srv/cellgate"
    error_message = "releases lie on the volume"
  }
  assert {
    condition     = alltrue([for package in ["chrony", "nftables", "prometheus-node-exporter", "unattended-upgrades"] : contains(yamldecode(local.user_data).packages, package)])
    error_message = "a package is missing"
  }
}

run "files_arrive_as_they_are" {
  command = plan

  assert {
    condition     = { for file in yamldecode(local.user_data).write_files : file.path => file.content if file.path != "/opt/cellgate/infra/deploy_keys" } == local.host_files
    error_message = "what is written on the server must be what lies in host/ and systemd/, byte by byte"
  }
  assert {
    condition     = toset([for path in keys(local.host_files) : basename(path) if strcontains(path, "/systemd/")]) == toset(["cellgate-egress.service", "cellgate-guard.service", "cellgate-guard.timer", "cellgate-recover.service", "cellgate-switch.path", "cellgate-switch.service", "cellgate-watch.service"])
    error_message = "a unit is missing, or one is new"
  }
  assert {
    condition     = [for file in yamldecode(local.user_data).write_files : file.permissions if endswith(file.path, "/host/setup")] == ["0755"]
    error_message = "setup must be executable"
  }
  assert {
    condition     = [for file in yamldecode(local.user_data).write_files : file.permissions if file.permissions != "0644"] == ["0755"]
    error_message = "nothing but setup is executable"
  }
}

run "two_deploy_keys_while_one_replaces_the_other" {
  command = plan
  variables {
    deploy_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIt71VwRt4GwzMQ6puV/na3wZg6dHU4n4Jee5DpAfUVK4 deploy", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIxsHJqchUPx5M2YAGTPFiXuthqQcDskZP/wOfIWglCLM"]
  }
  assert {
    condition     = one([for file in yamldecode(local.user_data).write_files : file.content if file.path == "/opt/cellgate/infra/deploy_keys"]) == "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIt71VwRt4GwzMQ6puV/na3wZg6dHU4n4Jee5DpAfUVK4 deploy\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIxsHJqchUPx5M2YAGTPFiXuthqQcDskZP/wOfIWglCLM\n"
    error_message = "one key a line"
  }
}

run "setup_demands_the_volume" {
  command = plan
  assert {
    condition     = yamldecode(local.user_data).runcmd == [["/opt/cellgate/infra/host/setup", "--operator", "cellgate-operator", "--deploy-keys", "/opt/cellgate/infra/deploy_keys", "--mounted"]]
    error_message = "one command, as a list, so that no shell reads it"
  }
}

run "setup_fetches_the_agent_by_digest" {
  command = plan
  variables {
    agent        = { url = "https://example.org/cellgate", sha256 = "abababababababababababababababababababababababababababababababab" }
    metrics_from = ["10.114.0.0/20"]
  }
  assert {
    condition     = slice(yamldecode(local.user_data).runcmd[0], 6, 12) == ["--agent-url", "https://example.org/cellgate", "--agent-sha256", "abababababababababababababababababababababababababababababababab", "--metrics-address", "0.0.0.0"]
    error_message = "url and digest go together"
  }
}
