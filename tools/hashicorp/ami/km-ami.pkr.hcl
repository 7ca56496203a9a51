// An Ubuntu AMI with KM installed. Nothing here holds a credential: Packer uses the role of its environment.

packer {
  required_version = ">= 1.11.0"
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "1.8.2"
    }
  }
}

variable "aws_region" {
  description = "Region that the AMI is built in."
  type        = string
}

variable "instance_profile" {
  description = "Instance profile of the build machine, with AmazonSSMManagedInstanceCore and nothing else."
  type        = string
}

variable "release_tag" {
  description = "Release of KM, as in v0.9.1."
  type        = string
}

variable "ami_groups" {
  description = "Who else may use the AMI; `all` makes it public, which takes an AMI that is not encrypted."
  type        = list(string)
  default     = []
}

variable "base_release" {
  description = "Ubuntu LTS release that the AMI is built on."
  type        = string
  default     = "24.04"
}

variable "instance_type" {
  description = "Type of the build machine: KKM needs no nested virtualization."
  type        = string
  default     = "t3.small"
}

locals {
  files   = "/tmp/km"
  product = "${path.root}/../build"
}

data "amazon-ami" "base" {
  region      = var.aws_region
  owners      = ["099720109477"]
  most_recent = true
  filters = {
    name                = "ubuntu/images/hvm-ssd*/ubuntu-*-${var.base_release}-amd64-server-*"
    architecture        = "x86_64"
    root-device-type    = "ebs"
    virtualization-type = "hvm"
  }
}

source "amazon-ebs" "km" {
  region                      = var.aws_region
  source_ami                  = data.amazon-ami.base.id
  instance_type               = var.instance_type
  iam_instance_profile        = var.instance_profile
  associate_public_ip_address = false
  communicator                = "ssh"
  ssh_interface               = "session_manager"
  ssh_username                = "ubuntu"
  ami_name                    = "Kontain_ubuntu_${var.base_release}_${var.release_tag}"
  ami_description             = "Ubuntu ${var.base_release} with Kontain ${var.release_tag}"
  ami_groups                  = var.ami_groups
  imds_support                = "v2.0"
  encrypt_boot                = length(var.ami_groups) == 0

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  tags = {
    Name    = "Ubuntu ${var.base_release} with Kontain ${var.release_tag}"
    release = var.release_tag
  }
}

build {
  sources = ["source.amazon-ebs.km"]

  provisioner "shell" {
    inline = ["mkdir -p ${local.files}"]
  }
  provisioner "file" {
    sources = [
      "${local.product}/kontain.tar.gz",
      "${local.product}/kkm.run",
      "${local.product}/SHA256SUMS",
      "${path.root}/../scripts/install-km.sh",
    ]
    destination = "${local.files}/"
  }
  provisioner "shell" {
    execute_command = "sudo env {{ .Vars }} bash {{ .Path }}"
    inline          = ["bash ${local.files}/install-km.sh"]
  }
  provisioner "shell" {
    execute_command = "sudo env {{ .Vars }} bash {{ .Path }}"
    inline          = ["cloud-init clean --logs --machine-id", "rm -rf /root/.ssh /home/*/.ssh /etc/ssh/ssh_host_*"]
    skip_clean      = true
  }
}
