#!/bin/bash
source "$(dirname "$0")/../common/report.sh"
if [ -x /srv/two.sh ]; then pass "two.sh can be run"; else fail "two.sh cannot be run"; fi
if [ "$(/srv/two.sh 2>/dev/null)" = "$(printf '1\n2')" ]; then pass "it prints 1 and 2"; else fail "it does not print 1 and 2"; fi
summary
