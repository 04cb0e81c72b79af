# why: what niko makes there does not belong to the group desk
sudo chgrp -R desk /srv/project
sudo chmod -R g+rwX /srv/project
