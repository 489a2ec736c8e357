# Each thing that a variable refuses, refused for that variable and no other.

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

run "name_in_capitals" {
  command = plan
  variables {
    name = "Cellgate"
  }
  expect_failures = [var.name]
}

run "name_with_a_space" {
  command = plan
  variables {
    name = "cell gate"
  }
  expect_failures = [var.name]
}

run "region_without_a_digit" {
  command = plan
  variables {
    region = "frankfurt"
  }
  expect_failures = [var.region]
}

run "image_that_is_no_ubuntu" {
  command = plan
  variables {
    image = "debian-12-x64"
  }
  expect_failures = [var.image]
}

run "image_that_is_no_lts" {
  command = plan
  variables {
    image = "ubuntu-25-10-x64"
  }
  expect_failures = [var.image]
}

run "size_that_is_no_slug" {
  command = plan
  variables {
    size = "large"
  }
  expect_failures = [var.size]
}

run "size_without_memory_in_its_name" {
  command = plan
  variables {
    size = "c-2"
  }
  expect_failures = [var.size]
}

run "size_of_two_gigabytes" {
  command = plan
  variables {
    size = "s-1vcpu-2gb"
  }
  expect_failures = [var.size]
}

run "volume_of_24_gigabytes" {
  command = plan
  variables {
    volume_gb = 24
  }
  expect_failures = [var.volume_gb]
}

run "volume_of_half_gigabytes" {
  command = plan
  variables {
    volume_gb = 25.5
  }
  expect_failures = [var.volume_gb]
}

run "volume_beyond_what_there_is" {
  command = plan
  variables {
    volume_gb = 16385
  }
  expect_failures = [var.volume_gb]
}

run "vpc_that_is_no_uuid" {
  command = plan
  variables {
    vpc_uuid = "default"
  }
  expect_failures = [var.vpc_uuid]
}

run "no_operator" {
  command = plan
  variables {
    operator_keys = {}
  }
  expect_failures = [var.operator_keys]
}

run "operator_with_a_private_key" {
  command = plan
  variables {
    operator_keys = { ada = "-----BEGIN OPENSSH PRIVATE KEY-----" }
  }
  expect_failures = [var.operator_keys]
}

run "operator_with_a_dsa_key" {
  command = plan
  variables {
    operator_keys = { ada = "ssh-dss AAAAB3NzaC1kc3MAAACBAKl0mO3ZyR5dWkq1s0mZ4yq6nqv7b3Qe1fN2cX8uH9aB" }
  }
  expect_failures = [var.operator_keys]
}

run "operator_with_a_name_that_breaks_yaml" {
  command = plan
  variables {
    operator_keys = { "a: b" = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI/e5DDUC9V97qwYbNl5ADPQ8G+QmogG585ucXq3x9UCk ada@lab" }
  }
  expect_failures = [var.operator_keys]
}

run "no_deploy_key" {
  command = plan
  variables {
    deploy_keys = []
  }
  expect_failures = [var.deploy_keys]
}

run "deploy_key_with_options" {
  command = plan
  variables {
    deploy_keys = ["command=\"/bin/sh\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIt71VwRt4GwzMQ6puV/na3wZg6dHU4n4Jee5DpAfUVK4 deploy"]
  }
  expect_failures = [var.deploy_keys]
}

run "deploy_key_of_two_lines" {
  command = plan
  variables {
    deploy_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIt71VwRt4GwzMQ6puV/na3wZg6dHU4n4Jee5DpAfUVK4 deploy\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI/e5DDUC9V97qwYbNl5ADPQ8G+QmogG585ucXq3x9UCk ada@lab"]
  }
  expect_failures = [var.deploy_keys]
}

run "deploy_key_cut_short" {
  command = plan
  variables {
    deploy_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"]
  }
  expect_failures = [var.deploy_keys]
}

run "deploy_key_that_opens_a_shell_too" {
  command = plan
  variables {
    deploy_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI/e5DDUC9V97qwYbNl5ADPQ8G+QmogG585ucXq3x9UCk ada@lab"]
  }
  expect_failures = [var.deploy_keys]
}

run "host_key_with_windows_line_ends" {
  command = plan
  variables {
    host_key = "-----BEGIN OPENSSH PRIVATE KEY-----\r\nb3BlbnNz\r\n-----END OPENSSH PRIVATE KEY-----\r\n"
  }
  expect_failures = [var.host_key]
}

run "host_key_that_is_the_public_one" {
  command = plan
  variables {
    host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGQW5X9xu7ryOMusXeVutagc1NwqSCpcD85BbjQnXHLX"
  }
  expect_failures = [var.host_key]
}

run "host_key_with_a_passphrase" {
  command = plan
  variables {
    host_key = <<-KEY
      -----BEGIN OPENSSH PRIVATE KEY-----
      b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABAcdzK8Tq
      0LESqqSzEEG2drAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIIZE4OKrc9OtHAQb
      siZK0HKmOaHccY3frIjzpa++N0J+AAAAkEmWRV9B7A1TYvsdNvFjakOUbOjbXFyhgrgLay
      WFo7/VhXpl/CcROkkyZ64gSCMeFtCNCuXLdyfG5Al1fYf7YU3LWuGWu5Zqgq1wBByMqhBL
      SSV1/GeqrKMlswGGEqd7qne78jJGuEjMPDkPSI3qGOonLLi49J1g17G65PggJ86/Gj57Ua
      a+OxMcCAVX12axWA==
      -----END OPENSSH PRIVATE KEY-----
    KEY
  }
  expect_failures = [var.host_key]
}

run "host_key_of_another_kind" {
  command = plan
  variables {
    host_key = <<-KEY
      -----BEGIN OPENSSH PRIVATE KEY-----
      b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAABFwAAAAdzc2gtcn
      NhAAAAAwEAAQAAAQEAmch8a67KVHOlhjgZ/cSKZulAaHyaGzfKduX6MLT8Zh/Gscw9OWW+
      GXyj7gsZVC0Jc4gTuyadnW4HccL3f3CnHlyHWvnsbe1vDCuZq7zY8bggAgwrPAOCepOSQ2
      b2HI49DVLQhCGNnJJDz9Fz12HSIdGP7EVKeJjj597BXIFT4ic8OBcKpzhcUCyyz47HZfpf
      ZP7dHtvfpMtwykRe9KdMzseGtF2tKRPt84ly026I6bFT1Mbp+oWPBx8QaN1eYUVsyLyh4i
      KmwILDPmVAyKBK3b5U8LHMZBf5n8MzuendDwc9/90yB9nqxIMVkfudffbPXyLVBzsAOa5r
      aV5om7yOBwAAA8BdSAd9XUgHfQAAAAdzc2gtcnNhAAABAQCZyHxrrspUc6WGOBn9xIpm6U
      BofJobN8p25fowtPxmH8axzD05Zb4ZfKPuCxlULQlziBO7Jp2dbgdxwvd/cKceXIda+ext
      7W8MK5mrvNjxuCACDCs8A4J6k5JDZvYcjj0NUtCEIY2ckkPP0XPXYdIh0Y/sRUp4mOPn3s
      FcgVPiJzw4FwqnOFxQLLLPjsdl+l9k/t0e29+ky3DKRF70p0zOx4a0Xa0pE+3ziXLTbojp
      sVPUxun6hY8HHxBo3V5hRWzIvKHiIqbAgsM+ZUDIoErdvlTwscxkF/mfwzO56d0PBz3/3T
      IH2erEgxWR+5199s9fItUHOwA5rmtpXmibvI4HAAAAAwEAAQAAAQA/JZspoJGGkiJS9fB+
      StlGHtuKzDd/m64wmojcvUSzLrMpSSOO0R95Wbv6wGX7Ma8i2Kq5e8bW4Vp/NT7p/rkw92
      /BRMT38rpZtgGZCqfOwfuqu5J5Rzup17UEpl/DJAkf0nS6/QgoVcswp+I4e/uMVYAS1fUZ
      hjZ3fPnLYXOvdif/FL0/4hu37ilARipTpyIUN2GbTANP+SEozfG7r2VzK7zPSCMfvNTmOW
      vrhDp7D9OACI0BTXywdUfocS7LP8J5eFmUdHACnkC+j6yTWuUo/DpcfTlu5z6OBzdIIbhl
      4P0qSs27BNbzvAtG+Qh+msMQfxT3/mJUymhL/NUJFEUhAAAAgQC/j4o+JwneWLXka6BT1e
      QxlDvLMas78sztAngVAUsUQ2Y/FITNIop9AOHDkx+pW14Yx9xpM9LHT0A5ISf2FcQ+FP+x
      ++4BzMvayzrf3lqyAxkXTh/JliA2//g5DxzNvUgpbty+r7PstM2MWL3WEIM5gJTk1LJw6i
      xP5rfdDk20cQAAAIEAyv8mSAM3M3c/YN4xs5un6p+41UpQBWBuTXbSExVm+4uN78RG0S+r
      3QS/eYjyGI05gSyxgAPnvxOFu8mpN9NvuZfrgqcjxErfB+45WGOR0c/I5wqT1NJ6VZyEzS
      G9nHVXTSUxAF0RSUo2MMjDSs0uyuqxg5UDQguFwYLMD9XnjlEAAACBAMHvxS3JjszM/8OF
      oHEHAncZEVmky6PQ0RHXjN7A+uuEc+Tbebjrrg44mJTuXMLdAKtSg+LamLHJcDZr19EWKu
      FrwCaOpFFl0TWJL/88G9o/kvCIKaZKNyn9KGAmoxnIQimJ3IJuzMJ2eer4HYfI/6Hya3ac
      st+9bLe6hDhQ2YjXAAAAB3Jvb3RAdm0BAgM=
      -----END OPENSSH PRIVATE KEY-----
    KEY
  }
  expect_failures = [var.host_key]
}

run "agent_over_plain_http" {
  command = plan
  variables {
    agent = { url = "http://example.org/cellgate", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }
  expect_failures = [var.agent]
}

run "agent_url_with_a_quote" {
  command = plan
  variables {
    agent = { url = "https://example.org/a\"b", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }
  expect_failures = [var.agent]
}

run "agent_without_a_whole_digest" {
  command = plan
  variables {
    agent = { url = "https://example.org/cellgate", sha256 = "abc" }
  }
  expect_failures = [var.agent]
}

run "ssh_from_nowhere" {
  command = plan
  variables {
    ssh_from = []
  }
  expect_failures = [var.ssh_from]
}

run "ssh_from_an_address_that_is_none" {
  command = plan
  variables {
    ssh_from = ["198.51.100.0/33"]
  }
  expect_failures = [var.ssh_from]
}

run "ssh_from_the_whole_world" {
  command = plan
  variables {
    ssh_from = ["0.0.0.0/0"]
  }
  expect_failures = [var.ssh_from]
}

run "ssh_from_the_whole_world_of_ipv6" {
  command = plan
  variables {
    ssh_from = ["::/0"]
  }
  expect_failures = [var.ssh_from]
}

run "ssh_from_half_the_world" {
  command = plan
  variables {
    ssh_from = ["198.51.100.0/24", "0.0.0.0/1"]
  }
  expect_failures = [var.ssh_from]
}

run "metrics_for_the_whole_world" {
  command = plan
  variables {
    metrics_from = ["0.0.0.0/0"]
  }
  expect_failures = [var.metrics_from]
}

run "nobody_to_tell" {
  command = plan
  variables {
    alert_emails = []
  }
  expect_failures = [var.alert_emails]
}

run "somebody_without_an_address" {
  command = plan
  variables {
    alert_emails = ["ops"]
  }
  expect_failures = [var.alert_emails]
}

run "ssh_from_the_whole_world_when_it_is_meant" {
  command = plan
  variables {
    ssh_from        = ["0.0.0.0/0", "::/0"]
    allow_world_ssh = true
  }
}

run "size_s_4vcpu_8gb_amd_is_known" {
  command = plan
  variables {
    size = "s-4vcpu-8gb-amd"
  }
}

run "size_m3_2vcpu_16gb_is_known" {
  command = plan
  variables {
    size = "m3-2vcpu-16gb"
  }
}

run "size_s_2vcpu_4gb_120gb_intel_is_known" {
  command = plan
  variables {
    size = "s-2vcpu-4gb-120gb-intel"
  }
}

run "size_so1_5_2vcpu_16gb_is_known" {
  command = plan
  variables {
    size = "so1_5-2vcpu-16gb"
  }
}
