os         = "ubuntu"
source_box = "bento/ubuntu-24.04"
