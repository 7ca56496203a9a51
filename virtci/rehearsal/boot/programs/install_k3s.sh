#!/bin/sh
# Stand-in for install.sh of k3s, for an installation without download: checks the binary, writes the unit and its
# environment file, links the tools, enables the service, and starts it unless told not to.
set -eu
if [ "${INSTALL_K3S_SKIP_DOWNLOAD:-}" != true ]; then
  echo '[ERROR]  the stand-in downloads nothing: INSTALL_K3S_SKIP_DOWNLOAD is not true' >&2
  exit 1
fi
if [ ! -x /usr/local/bin/k3s ]; then
  echo '[ERROR]  Executable k3s binary not found at /usr/local/bin/k3s' >&2
  exit 1
fi
for tool in kubectl crictl ctr; do ln -sf k3s "/usr/local/bin/$tool"; done
unit=/etc/systemd/system/k3s.service
: >"$unit.env"
chmod 0600 "$unit.env"
env | grep -E '^(K3S|CONTAINERD)_' >"$unit.env" || true
cat >"$unit" <<EOU
[Unit]
Description=Lightweight Kubernetes
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
EnvironmentFile=-$unit.env
KillMode=process
TimeoutStartSec=0
Restart=always
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStart=/usr/local/bin/k3s ${INSTALL_K3S_EXEC:-server}

[Install]
WantedBy=multi-user.target
EOU
systemctl enable "$unit" >/dev/null
systemctl daemon-reload >/dev/null
[ "${INSTALL_K3S_SKIP_START:-}" = true ] || systemctl restart k3s
