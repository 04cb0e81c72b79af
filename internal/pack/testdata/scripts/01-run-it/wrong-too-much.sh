#!/bin/bash
# why: its mode is 777, and not 755
chmod 777 /srv/hello.sh
