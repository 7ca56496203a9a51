#!/bin/bash
# Brings a runner from its start to an agent that takes jobs. Runs at every boot, and every stage may have been done
# before. An agent that is registered needs nothing of this to come back: its own service starts it. A timer tries a
# failed boot again, so that a registration may come at any time.
set -euo pipefail
here=${0%/*}
. "$here/lib.sh"

begin_boot curl getent iptables iptables-restore python3 setpriv sha256sum tar timeout useradd
stage metadata 660 "$here/read-facts.sh"
tell booting

stage isolation 60 systemctl enable --now virt-ci-isolation.service
stage install 1500 "$here/runner-install.sh"
tell installed

stage registration 2160 "$here/runner-register.sh"
stage start 60 "$here/runner-start.sh"

end_boot "the agent listens for jobs"
