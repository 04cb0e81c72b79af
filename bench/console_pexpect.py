#!/usr/bin/env python3
"""Reads a source through pexpect. usage: console_pexpect.py plain|tuned SOURCE CHUNK TOTAL PATTERN
Prints what it took as JSON; «plain» is pexpect with its own settings, «tuned» with a small window and large reads."""
import json
import resource
import sys
import time

import pexpect

settings = {} if sys.argv[1] == "plain" else {"searchwindowsize": 4096, "maxread": 65536}
start = time.monotonic()
before = resource.getrusage(resource.RUSAGE_SELF)
child = pexpect.spawn(sys.argv[2], ["source", *sys.argv[3:5]], timeout=None, encoding="utf-8", **settings)
matched = child.expect([sys.argv[5], pexpect.EOF]) == 0
seconds = time.monotonic() - start
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"seconds": seconds, "cpu": cpu, "matched": matched}))
