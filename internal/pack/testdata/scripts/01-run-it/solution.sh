#!/bin/bash
set -euo pipefail

# Everybody may run it.
chmod 755 /srv/hello.sh

exit 0
