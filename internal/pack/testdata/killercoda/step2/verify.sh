#!/bin/bash

if stat /srv/texts/unwanted; then exit 1; fi
