// The system calls: all that a program can ask of this kernel.
#include "syscalls.h"
#include "kernel.h"

static word sys_exit(word first, word second) {
    (void)first, (void)second;
    print("kernel: the program has ended.\n");
    rest();
}

// sys_print prints the text at an address. The program could give any address, even one of the kernel's: so look.
static word sys_print(word address, word second) {
    (void)second;
    for (; address >= (word)user_begin && address < (word)user_end; address++) {
        char letter = *(const char *)address;
        if (letter == 0) {
            return 0;
        }
        put(letter);
    }
    return NO_SUCH_CALL;
}

// The board's clock counts ten million times a second, and this is where it can be read.
// static volatile word *const clock = (volatile word *)0x0200bff8;

// The table. The number that the program gives is the place in it.
static word (*const table[])(word first, word second) = {
    [SYS_EXIT] = sys_exit,
    [SYS_PRINT] = sys_print,
};

word system_call(word number, word first, word second) {
    if (number >= sizeof table / sizeof table[0] || table[number] == 0) {
        return NO_SUCH_CALL;
    }
    return table[number](first, second);
}
