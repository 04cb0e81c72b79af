# why: hello.sh is gone
rm /srv/hello.sh
