"""What the images of the fleet have that boot texts touch: files of the distribution, as far as they matter here."""

from collections.abc import Mapping
from typing import Literal

Distribution = Literal["azurelinux", "ubuntu"]

LOADER = "/etc/systemd/scripts/iptables"
"""Loads the saved rules of the firewall, as its service does at every start."""
_LOAD_RULES = "#!/bin/sh\niptables-restore </etc/systemd/scripts/ip4save\n"
_LOAD_UNIT = """\
[Unit]
Description=Load Iptables Rules
ConditionFileIsExecutable=/etc/systemd/scripts/iptables
After=network.target

[Service]
Type=forking
ExecStart=/etc/systemd/scripts/iptables
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
"""
_RULES = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT DROP [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A OUTPUT -j ACCEPT
COMMIT
"""
FILES: Mapping[Distribution, Mapping[str, str]] = {
    "azurelinux": {
        "etc/os-release": 'ID=azurelinux\nVERSION_ID="3.0"\n',
        "etc/tdnf/tdnf.conf": "[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=0\n",
        "etc/dnf/dnf.conf": "[main]\ngpgcheck=True\nexcludepkgs=nodejs-debuginfo\nbest=False\n",
        "etc/systemd/scripts/iptables": _LOAD_RULES,
        "etc/systemd/scripts/ip4save": _RULES,
        "etc/systemd/system/iptables.service": _LOAD_UNIT,
    },
    "ubuntu": {
        "etc/os-release": 'ID=ubuntu\nVERSION_ID="24.04"\n',
        "etc/apt/apt.conf.d/20auto-upgrades": 'APT::Periodic::Unattended-Upgrade "1";\n',
    },
}
"""Sources: microsoft/azurelinux, SPECS/iptables and SPECS/tdnf; the loader empties all chains before it restores."""

PEOPLE = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
GROUPS = "root:x:0:\nshadow:x:42:\nnogroup:x:65534:\n"
SHADOW = "root:*:20000:0:99999:7:::\nnobody:*:20000:0:99999:7:::\n"
SHARED = ("alternatives", "ld.so.conf.d", "pam.d", "security", "default", "skel", "python3")
COPIED = ("ld.so.cache", "ld.so.conf", "login.defs", "protocols", "services")
"""What programs of the real machine need of its /etc: folders that nothing may change, and files."""
