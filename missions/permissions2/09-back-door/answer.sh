#!/bin/bash
sudo chmod u-s /usr/local/share/fonts/.cache/index
