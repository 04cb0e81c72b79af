#!/bin/bash
sudo chgrp -R desk /srv/project
sudo chmod -R g+rwX /srv/project
sudo chmod g+s /srv/project /srv/project/notes
