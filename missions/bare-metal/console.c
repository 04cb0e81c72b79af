// The console: a serial port. Whatever is written to this address goes out, one letter at a time.
#include "kernel.h"

static volatile char *const serial_port = (volatile char *)0x10000000;

void put(char letter) { *serial_port = letter; }

void print(const char *text) {
    for (; *text; text++) {
        put(*text);
    }
}

void print_hex(word number) {
    print("0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
        if (number >> shift || shift == 0) {
            put("0123456789abcdef"[number >> shift & 15]);
        }
    }
}
