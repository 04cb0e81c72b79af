#!/bin/bash
sudo usermod -aG choir niko
# as niko
exit
