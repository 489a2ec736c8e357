# Who may reach the server, what it may reach, who is told, and what is pinned.

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

run "as_a_laboratory_has_it" {
  command = plan

  assert {
    condition     = output.known_hosts == "203.0.113.10 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGQW5X9xu7ryOMusXeVutagc1NwqSCpcD85BbjQnXHLX"
    error_message = "address, kind, key: the public half of the host key above, as ssh-keygen wrote it"
  }
  assert {
    condition     = !strcontains(output.secrets, "PRIVATE")
    error_message = "no output shows a private key"
  }
  assert {
    condition     = { for rule in digitalocean_firewall.server.inbound_rule : rule.protocol => rule.source_addresses } == { tcp = toset(["198.51.100.0/24"]), icmp = toset(["0.0.0.0/0", "::/0"]) }
    error_message = "SSH from the named network, pings from anywhere, and nothing else"
  }
  assert {
    condition     = [for rule in digitalocean_firewall.server.inbound_rule : rule.port_range if rule.protocol == "tcp"] == ["22"]
    error_message = "one port is open"
  }
  assert {
    condition     = toset([for rule in digitalocean_firewall.server.outbound_rule : "${rule.protocol} ${rule.port_range}"]) == toset(["udp 53", "tcp 53", "udp 123", "tcp 80", "tcp 443"])
    error_message = "what goes out is listed"
  }
  assert {
    condition     = digitalocean_droplet.server.monitoring && digitalocean_droplet.server.size == "s-2vcpu-4gb" && digitalocean_volume.data.size == 25
    error_message = "4 GB of memory, 25 GB of disk, watched"
  }
  assert {
    condition     = digitalocean_droplet.server.image == "ubuntu-24-04-x64" && !digitalocean_droplet.server.droplet_agent
    error_message = "Ubuntu LTS, without a second way in"
  }
  assert {
    condition     = keys(digitalocean_monitor_alert.server) == ["cpu", "disk", "memory"]
    error_message = "three alerts"
  }
  assert {
    condition     = alltrue([for alert in digitalocean_monitor_alert.server : alert.entities == toset(["1234"]) && alert.alerts[0].email == tolist(["lab@example.org"])])
    error_message = "alerts are about this server and reach the laboratory"
  }
  assert {
    condition     = length(digitalocean_uptime_check.server) == 1 && digitalocean_uptime_check.server[0].target == "203.0.113.10"
    error_message = "the address that outlives the server is what is pinged"
  }
}

run "without_pings" {
  command = plan
  variables {
    uptime_check = false
  }
  assert {
    condition     = [for rule in digitalocean_firewall.server.inbound_rule : rule.protocol] == ["tcp"] && length(digitalocean_uptime_alert.server) == 0
    error_message = "no check, no ICMP"
  }
}

run "metrics_for_one_network" {
  command = plan
  variables {
    metrics_from = ["10.114.0.0/20"]
  }
  assert {
    condition     = { for rule in digitalocean_firewall.server.inbound_rule : rule.port_range => rule.source_addresses if rule.protocol == "tcp" } == { "22" = toset(["198.51.100.0/24"]), "9100" = toset(["10.114.0.0/20"]) }
    error_message = "node_exporter for that network alone"
  }
}
