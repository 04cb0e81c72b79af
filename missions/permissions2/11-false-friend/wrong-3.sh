# why: nini still runs an ls that lies where she is
PATH=/usr/bin:/bin
