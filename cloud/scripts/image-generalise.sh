#!/bin/bash
# Takes out of a machine what must not be in an image: keys, ids, logs, accounts of the build. The last thing that Packer
# runs, as root, with CLOUD in the environment; nobody can log in afterwards.
set -euo pipefail

rm -rf /root/.ssh /home/*/.ssh /root/.bash_history /home/*/.bash_history /root/.cache /home/*/.cache
rm -f /etc/ssh/ssh_host_*
find /opt /home /root /var/lib \( -name .runner -o -name .credentials -o -name .credentials_rsaparams \) -delete
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/journal/* /tmp/* /var/tmp/*
find /var/log -type f -exec truncate --size 0 {} +
cloud-init clean --logs --machine-id
if [ "$CLOUD" = azure ]; then waagent -force -deprovision+user; fi
sync
