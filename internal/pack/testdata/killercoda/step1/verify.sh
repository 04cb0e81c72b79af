#!/bin/bash

stat /srv/texts/new && grep heron /srv/texts/heron.txt
