#!/bin/bash
chmod 711 /srv/drawer
