# why: nini cannot read it and write in it any more
chmod 000 ~/diary
