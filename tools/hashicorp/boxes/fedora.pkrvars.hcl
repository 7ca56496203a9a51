os         = "fedora"
source_box = "bento/fedora-42"
