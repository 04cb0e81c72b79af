# why: two.sh cannot be run
printf "1\n2\n" > /srv/two.sh
