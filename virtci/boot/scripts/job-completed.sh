#!/bin/bash
# Hook of the agent after a job, run as the user of jobs: says so, and no more. What there is to keep, root keeps.
echo completed >>/run/virt-ci-jobs/completed
