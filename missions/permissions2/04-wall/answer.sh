#!/bin/bash
sudo chmod +t /srv/wall
