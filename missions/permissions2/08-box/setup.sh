#!/bin/sh
set -e
cat >/home/nini/suggest.c <<'END'
#include <stdio.h>

int main(int argc, char **argv) {
    FILE *box = fopen("/srv/box", "a");
    if (box == NULL) {
        perror("/srv/box");
        return 1;
    }
    fprintf(box, "%s\n", argc > 1 ? argv[1] : "");
    return fclose(box) != 0;
}
END
rm -f /usr/local/bin/suggest /home/nini/suggest
: >/srv/box
chown nini:nini /srv/box /home/nini/suggest.c
chmod 600 /srv/box
