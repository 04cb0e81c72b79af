#!/bin/bash
rm /srv/two.sh
