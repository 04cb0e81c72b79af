touch /srv/texts/unwanted
