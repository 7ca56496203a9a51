// The image of on-demand runners in Azure: a version in the Compute Gallery of stack `kontain`, and the canary that looks at
// a machine made from it. Nothing here holds a credential: Packer uses the login of `az`.

packer {
  required_version = ">= 1.11.0"
  required_plugins {
    azure = {
      source  = "github.com/hashicorp/azure"
      version = "2.6.3"
    }
  }
}

locals {
  // Canonical's offers are named anew with each release; add a row for one that is not here.
  bases = {
    "22.04" = { offer = "0001-com-ubuntu-server-jammy", sku = "22_04-lts-gen2" }
    "24.04" = { offer = "ubuntu-24_04-lts", sku = "server" }
  }
  tags = merge(var.tags, {
    image   = var.image_name
    version = var.image_version
    state   = "candidate"
    base    = "ubuntu-${var.base_release}"
  })
  regions = concat([var.region], var.replica_regions)
  scripts = "/tmp/virt-ci-image"
}

source "azure-arm" "build" {
  use_azure_cli_auth                     = true
  build_resource_group_name              = var.resource_group
  virtual_network_resource_group_name    = var.network_resource_group
  virtual_network_name                   = var.network
  virtual_network_subnet_name            = var.subnet
  private_virtual_network_with_public_ip = false
  vm_size                                = var.vm_size
  os_type                                = "Linux"
  image_publisher                        = "Canonical"
  image_offer                            = local.bases[var.base_release].offer
  image_sku                              = local.bases[var.base_release].sku
  image_version                          = var.base_version
  os_disk_size_gb                        = var.disk_gb
  ssh_username                           = "packer"
  azure_tags                             = local.tags

  // security_type stays unset: only a Standard machine can run a hypervisor of its own.

  shared_image_gallery_destination {
    subscription         = var.subscription
    resource_group       = var.resource_group
    gallery_name         = var.gallery
    image_name           = var.image_name
    image_version        = var.image_version
    storage_account_type = "Standard_LRS"

    dynamic "target_region" {
      for_each = local.regions
      content {
        name     = target_region.value
        replicas = 1
      }
    }
  }
  shared_gallery_image_version_exclude_from_latest = true
  shared_gallery_image_version_end_of_life_date    = timeadd(timestamp(), "2160h")
  shared_image_gallery_timeout                     = "2h"
}

source "azure-arm" "canary" {
  use_azure_cli_auth                     = true
  build_resource_group_name              = var.resource_group
  virtual_network_resource_group_name    = var.network_resource_group
  virtual_network_name                   = var.network
  virtual_network_subnet_name            = var.subnet
  private_virtual_network_with_public_ip = false
  vm_size                                = var.vm_size
  os_type                                = "Linux"
  ssh_username                           = "canary"
  azure_tags                             = local.tags
  skip_create_image                      = true

  shared_image_gallery {
    subscription   = var.subscription
    resource_group = var.resource_group
    gallery_name   = var.gallery
    image_name     = var.image_name
    image_version  = var.image_version
  }
}

build {
  name    = "image"
  sources = ["source.azure-arm.build"]

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
      "CLOUD=azure",
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
  // The last one. It deletes the account that Packer logs in with, so nobody can come back to clean up.
  provisioner "shell" {
    environment_vars = ["CLOUD=azure"]
    execute_command  = "sudo env {{ .Vars }} bash {{ .Path }}"
    inline           = ["bash ${local.scripts}/image-generalise.sh"]
    skip_clean       = true
  }
}

build {
  name    = "canary"
  sources = ["source.azure-arm.canary"]

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
