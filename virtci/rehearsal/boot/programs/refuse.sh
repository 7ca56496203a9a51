#!/bin/sh
echo "${0##*/}: nothing is installed on this machine" >&2
exit 1
