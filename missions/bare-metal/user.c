// A program, such as anybody could write it. It runs as a user: it can compute, and ask the kernel for all the rest.
#include "syscalls.h"

typedef unsigned long word;

// system_call asks the kernel: the number in register a7, what belongs to it in a0 and a1, and the answer comes in a0.
static word system_call(word number, word first, word second) {
    register word a0 asm("a0") = first;
    register word a1 asm("a1") = second;
    register word a7 asm("a7") = number;
    asm volatile("ecall"
                 : "+r"(a0)
                 : "r"(a1), "r"(a7)
                 : "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a2", "a3", "a4", "a5", "a6", "memory");
    return a0;
}

static void print(const char *text) { system_call(SYS_PRINT, (word)text, 0); }

static void print_number(word number) {
    char digits[21], *at = digits + sizeof digits - 1;
    *at = 0;
    do {
        *--at = '0' + number % 10;
        number /= 10;
    } while (number);
    print(at);
}

void user_main(void) {
    print("program: I am only a user here.\n");

    word time = system_call(SYS_TIME, 0, 0);
    if (time == NO_SUCH_CALL) {
        print("program: I asked for the time, and the kernel has no such call.\n");
    } else {
        print("program: I was switched on ");
        print_number(time);
        print(" microseconds ago.\n");
    }

    system_call(SYS_EXIT, 0, 0);
}
