# why: what niko makes after his next login is open to others
# as niko
umask 077
