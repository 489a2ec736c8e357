locals {
  infra = "${path.module}/../.."

  # The same files that a person copies to a server that Terraform did not make.
  host_files = {
    for file in concat(
      [for name in fileset(local.infra, "host/*") : name],
      [for name in fileset(local.infra, "systemd/cellgate-*") : name],
    ) : "/opt/cellgate/infra/${file}" => file("${local.infra}/${file}")
  }

  public_key_regex = "^(ssh-ed25519|sk-ssh-ed25519@openssh\\.com|sk-ecdsa-sha2-nistp256@openssh\\.com|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) AAAA[A-Za-z0-9+/]{40,}={0,2}( [A-Za-z0-9@._:+-]+)*$"

  setup = concat(
    ["/opt/cellgate/infra/host/setup", "--operator", "cellgate-operator", "--deploy-keys", "/opt/cellgate/infra/deploy_keys", "--mounted"],
    var.agent == null ? [] : ["--agent-url", var.agent.url, "--agent-sha256", var.agent.sha256],
    length(var.metrics_from) == 0 ? [] : ["--metrics-address", "0.0.0.0"],
  )

  user_data = templatefile("${path.module}/cloud-init.yaml.tftpl", {
    deploy_keys     = var.deploy_keys
    files           = local.host_files
    host_private    = var.host_key
    host_public     = "${local.host_public_key} ${var.name}"
    operator_keys   = values(var.operator_keys)
    setup           = local.setup
    volume          = digitalocean_volume.data.name
    executable_file = "/opt/cellgate/infra/host/setup"
  })
}
