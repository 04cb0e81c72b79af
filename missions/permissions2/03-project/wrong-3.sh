# why: guest can write there, too
sudo chgrp -R desk /srv/project
sudo chmod -R a+rwX /srv/project
sudo chmod g+s /srv/project /srv/project/notes
