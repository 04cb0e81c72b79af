#!/bin/bash
source "$(dirname "$0")/../common/report.sh"

echo "Checking /srv/hello.sh ..."
if [ -f /srv/hello.sh ]; then
    pass "hello.sh is there"
else
    fail "hello.sh is gone"
fi
perms=$(stat -c '%a' /srv/hello.sh 2>/dev/null)
if [ "$perms" = "755" ]; then
    pass "it is 755"
else
    fail "its mode is $perms, and not 755"
fi
summary
