// The image of on-demand runners in AWS: an AMI for each region, and the canary that looks at a machine made from it.
// Nothing here holds a credential: Packer uses the role of its environment (AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE).

packer {
  required_version = ">= 1.11.0"
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "1.8.2"
    }
  }
}

locals {
  canonical = "099720109477"
  ami_name  = "${var.image_name}-${var.image_version}"
  tags = merge(var.tags, {
    Name    = local.ami_name
    image   = var.image_name
    version = var.image_version
    state   = "candidate"
    base    = "ubuntu-${var.base_release}"
  })
  scripts = "/tmp/virt-ci-image"
}

data "amazon-ami" "base" {
  region      = var.region
  owners      = [local.canonical]
  most_recent = true
  filters = {
    name                = "ubuntu/images/hvm-ssd*/ubuntu-*-${var.base_release}-amd64-server-*"
    architecture        = "x86_64"
    root-device-type    = "ebs"
    virtualization-type = "hvm"
  }
}

source "amazon-ebs" "build" {
  region                      = var.region
  source_ami                  = data.amazon-ami.base.id
  instance_type               = var.instance_type
  iam_instance_profile        = var.instance_profile
  associate_public_ip_address = false
  communicator                = "ssh"
  ssh_interface               = "session_manager"
  ssh_username                = "ubuntu"
  shutdown_behavior           = "terminate"

  vpc_filter {
    filters = { "tag:Name" = var.network }
  }
  subnet_filter {
    filters   = { "state" = "available" }
    most_free = true
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  launch_block_device_mappings {
    device_name           = "/dev/sda1"
    volume_size           = var.disk_gb
    volume_type           = "gp3"
    encrypted             = true
    kms_key_id            = var.kms_key
    delete_on_termination = true
  }

  ami_name        = local.ami_name
  ami_regions     = var.replica_regions
  imds_support    = "v2.0"
  encrypt_boot    = true
  kms_key_id      = var.kms_key
  deprecate_at    = timeadd(timestamp(), "2160h")
  tags            = local.tags
  snapshot_tags   = local.tags
  run_tags        = local.tags
  run_volume_tags = local.tags
}

source "amazon-ebs" "canary" {
  region                      = var.region
  instance_type               = var.instance_type
  iam_instance_profile        = var.instance_profile
  associate_public_ip_address = false
  communicator                = "ssh"
  ssh_interface               = "session_manager"
  ssh_username                = "ubuntu"
  shutdown_behavior           = "terminate"
  ami_name                    = "${local.ami_name}-canary"
  skip_create_ami             = true
  run_tags                    = local.tags
  run_volume_tags             = local.tags

  source_ami_filter {
    owners      = ["self"]
    most_recent = true
    filters     = { name = local.ami_name }
  }
  vpc_filter {
    filters = { "tag:Name" = var.network }
  }
  subnet_filter {
    filters   = { "state" = "available" }
    most_free = true
  }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
}

build {
  name    = "image"
  sources = ["source.amazon-ebs.build"]

  provisioner "shell" {
    inline = ["mkdir -p ${local.scripts}"]
  }
  provisioner "file" {
    sources = [
      "${path.root}/../../virtci/boot/scripts/lib.sh",
      "${path.root}/../scripts/image-lib.sh",
      "${path.root}/../scripts/image-install.sh",
      "${path.root}/../scripts/image-generalise.sh",
    ]
    destination = "${local.scripts}/"
  }
  provisioner "shell" {
    environment_vars = [
      "CLOUD=ec2",
      "IMAGE_NAME=${var.image_name}",
      "IMAGE_VERSION=${var.image_version}",
      "PARTS=${join(" ", var.parts)}",
      "AGENT_VERSION=${var.agent_version}",
      "AGENT_SHA256=${var.agent_sha256}",
      "KUBECTL_VERSION=${var.kubectl_version}",
      "KUBECTL_SHA256=${var.kubectl_sha256}",
      "VAGRANT_VERSION=${var.vagrant_version}",
      "VAGRANT_SHA256=${var.vagrant_sha256}",
    ]
    execute_command = "sudo env {{ .Vars }} bash {{ .Path }}"
    inline          = ["bash ${local.scripts}/image-install.sh"]
  }
  provisioner "file" {
    direction   = "download"
    sources     = ["/usr/local/share/virt-ci/image.json", "/usr/local/share/virt-ci/sbom.json"]
    destination = "${path.root}/build/"
  }
  // The last one. It deletes the key that Packer logs in with, so nobody can come back to clean up.
  provisioner "shell" {
    environment_vars = ["CLOUD=ec2"]
    execute_command  = "sudo env {{ .Vars }} bash {{ .Path }}"
    inline           = ["bash ${local.scripts}/image-generalise.sh"]
    skip_clean       = true
  }
}

build {
  name    = "canary"
  sources = ["source.amazon-ebs.canary"]

  provisioner "shell" {
    inline = ["cloud-init status --wait || true", "mkdir -p ${local.scripts}"]
  }
  provisioner "file" {
    sources = [
      "${path.root}/../../virtci/boot/scripts/lib.sh",
      "${path.root}/../scripts/image-lib.sh",
      "${path.root}/../scripts/image-check.sh",
    ]
    destination = "${local.scripts}/"
  }
  provisioner "shell" {
    inline = ["sudo bash ${local.scripts}/image-check.sh > ${local.scripts}/seen.json"]
  }
  provisioner "file" {
    direction   = "download"
    source      = "${local.scripts}/seen.json"
    destination = "${path.root}/build/seen.json"
  }
}
