#!/bin/bash
sed -i '/PATH=\./d' ~/.profile
