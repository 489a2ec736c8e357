# The public half of the host key, from the private one, so that the two cannot differ.
#
# An unencrypted ed25519 key holds, at fixed places, the public key three times (OpenSSH's
# PROTOCOL.key). The third copy begins at byte 193. The public line's base64 has its copy at byte 19;
# both leave the remainder 1 when divided by 3, so the characters agree from the next group on, and
# the first one needs the four low bits of its own group only.
locals {
  base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

  # A regex for what every such key begins with: no cipher, one key, its kind. ssh-keygen ends lines
  # after 70 characters.
  host_key_head = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\\nQyNTUxOQAAAC"
  host_key_body = replace(replace(replace(var.host_key, "-----BEGIN OPENSSH PRIVATE KEY-----", ""), "-----END OPENSSH PRIVATE KEY-----", ""), "\n", "")

  host_key_first = try(length(split(substr(local.host_key_body, 257, 1), local.base64_alphabet)[0]) % 16, 0)
  host_public_key = nonsensitive(join("", [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI",
    substr(local.base64_alphabet, local.host_key_first, 1),
    substr(local.host_key_body, 258, 42),
  ]))

  # The line that a runner pins. The address is a reserved one, and the key comes with the
  # configuration, so it stays true when the server is replaced.
  known_hosts = "${digitalocean_reserved_ip.server.ip_address} ${local.host_public_key}"
}
