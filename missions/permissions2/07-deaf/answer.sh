#!/bin/bash
sudo pkill -KILL -x counter
