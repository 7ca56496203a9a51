// A Vagrant box with KM installed, made from a box of the same distribution.

packer {
  required_version = ">= 1.11.0"
  required_plugins {
    vagrant = {
      source  = "github.com/hashicorp/vagrant"
      version = "1.1.7"
    }
  }
}

variable "os" {
  description = "Name of the box: ubuntu or fedora."
  type        = string
}

variable "source_box" {
  description = "Box that it is made from."
  type        = string
}

variable "source_box_version" {
  description = "Version of that box."
  type        = string
}

variable "provider" {
  description = "Hypervisor that the box is for."
  type        = string
  default     = "virtualbox"
}

locals {
  files   = "/tmp/km"
  product = "${path.root}/../build"
}

source "vagrant" "km" {
  source_path     = var.source_box
  box_version     = var.source_box_version
  provider        = var.provider
  output_dir      = "${local.product}/box-${var.os}"
  communicator    = "ssh"
  teardown_method = "destroy"
}

build {
  sources = ["source.vagrant.km"]

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
}
