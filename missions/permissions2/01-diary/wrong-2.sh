# why: niko can no longer visit nini's home
chmod 700 ~
