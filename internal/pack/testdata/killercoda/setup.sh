mkdir -p /srv/texts; touch /srv/texts/unwanted
