// What differs between places comes from the stack file (`virtci images inputs ec2`), pins from pins.pkrvars.hcl.

variable "region" {
  description = "Region that the image is built in."
  type        = string
}

variable "replica_regions" {
  description = "Other regions that machines are made in."
  type        = list(string)
  default     = []
}

variable "network" {
  description = "Name of the VPC; Packer reaches the build machine through Session Manager."
  type        = string
}

variable "instance_profile" {
  description = "Instance profile of the build machine, with AmazonSSMManagedInstanceCore and nothing else."
  type        = string
}

variable "image_name" {
  description = "Name of the image; AMIs are called <image_name>-<image_version>."
  type        = string
  default     = "L0BaseImage"
}

variable "image_version" {
  description = "YYYY.MM.N, from `virtci images next-version`; a number is never given twice."
  type        = string
  validation {
    condition     = can(regex("^20[0-9]{2}\\.(0?[1-9]|1[0-2])\\.[1-9][0-9]*$", var.image_version))
    error_message = "The image_version is YYYY.MM.N, from `virtci images next-version`."
  }
}

variable "base_release" {
  description = "Ubuntu LTS release that the image is built on."
  type        = string
  default     = "24.04"
  validation {
    condition     = contains(["22.04", "24.04"], var.base_release)
    error_message = "The base_release is 22.04 or 24.04."
  }
}

variable "instance_type" {
  description = "Type of the build machine. Its 4 vCPU are the reserve that the launcher keeps free in the quota."
  type        = string
  default     = "m5.xlarge"
}

variable "kms_key" {
  description = "Key that encrypts disk and AMI; empty: the region's own key for EBS."
  type        = string
  default     = ""
}

variable "disk_gb" {
  description = "Size of the disk, in GB."
  type        = number
  default     = 32
}

variable "tags" {
  description = "Tags of everything that is made: owner, system, environment, lifetime, stack, managed-by."
  type        = map(string)
  validation {
    condition     = alltrue([for name in ["owner", "system", "environment", "lifetime", "stack", "managed-by"] : contains(keys(var.tags), name)])
    error_message = "The tags name owner, system, environment, lifetime, stack and managed-by; `virtci images inputs` gives them."
  }
}

variable "parts" {
  description = "What is in the image beside the agent."
  type        = list(string)
  default     = ["docker", "kubectl"]
  validation {
    condition     = alltrue([for part in var.parts : contains(["docker", "kubectl", "vagrant", "virtualbox"], part)])
    error_message = "The parts are some of docker, kubectl, vagrant and virtualbox."
  }
}

variable "agent_version" {
  description = "Version of GitHub's runner agent."
  type        = string
}

variable "agent_sha256" {
  description = "Checksum of its archive for linux-x64."
  type        = string
}

variable "kubectl_version" {
  description = "Version of kubectl, without a `v`; needed for part kubectl."
  type        = string
  default     = ""
}

variable "kubectl_sha256" {
  description = "Checksum of its binary for linux-amd64."
  type        = string
  default     = ""
}

variable "vagrant_version" {
  description = "Version of Vagrant; needed for part vagrant."
  type        = string
  default     = ""
}

variable "vagrant_sha256" {
  description = "Checksum of its package for Debian, amd64."
  type        = string
  default     = ""
}
