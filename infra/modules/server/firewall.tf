locals {
  everywhere = ["0.0.0.0/0", "::/0"]

  # DigitalOcean's own resolvers, which its images are set to.
  resolvers = ["67.207.67.2/32", "67.207.67.3/32"]

  inbound = concat(
    [{ protocol = "tcp", port = "22", from = var.ssh_from }],
    length(var.metrics_from) == 0 ? [] : [{ protocol = "tcp", port = "9100", from = var.metrics_from }],
    var.uptime_check ? [{ protocol = "icmp", port = null, from = local.everywhere }] : [],
  )

  # What the server itself needs, and no more. cellgate's own users reach none of it: egress.nft.
  outbound = [
    { protocol = "udp", port = "53", to = local.resolvers },
    { protocol = "tcp", port = "53", to = local.resolvers },
    { protocol = "udp", port = "123", to = local.everywhere }, # time
    { protocol = "tcp", port = "80", to = local.everywhere },  # packages, signed
    { protocol = "tcp", port = "443", to = local.everywhere }, # packages, metrics to DigitalOcean, the agent's binary
  ]
}

resource "digitalocean_firewall" "server" {
  name        = var.name
  droplet_ids = [digitalocean_droplet.server.id]

  dynamic "inbound_rule" {
    for_each = local.inbound
    content {
      protocol         = inbound_rule.value.protocol
      port_range       = inbound_rule.value.port
      source_addresses = inbound_rule.value.from
    }
  }

  dynamic "outbound_rule" {
    for_each = local.outbound
    content {
      protocol              = outbound_rule.value.protocol
      port_range            = outbound_rule.value.port
      destination_addresses = outbound_rule.value.to
    }
  }
}
