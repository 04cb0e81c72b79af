# why: a plain text has become a program
sudo chgrp -R desk /srv/project
sudo chmod -R 2775 /srv/project
