#!/bin/bash
chmod 600 ~/diary
