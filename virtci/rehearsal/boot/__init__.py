"""A machine to boot in: namespaces of this machine in which boot texts run for real.

Real are the scripts, the shell, curl with TLS, Python, the kernel's network, devices and file systems, and the
firewall where the machine has iptables. Stand-ins, all strict: systemd, k3s and its install script, package managers,
the passing of time.
"""
