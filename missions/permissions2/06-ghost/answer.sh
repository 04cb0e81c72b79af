#!/bin/bash
sudo kill $(sudo lsof -t -a +L1 -u niko)
