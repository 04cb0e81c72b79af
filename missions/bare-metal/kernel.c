// The kernel: it starts a program, and answers when the program asks.
#include "kernel.h"

// A register of the processor's that is not for computing.
#define READ(name) ({ word value; asm volatile("csrr %0, " #name : "=r"(value)); value; })
#define WRITE(name, value) asm volatile("csrw " #name ", %0" : : "r"(value))

// user_memory lets the program touch its own memory, and nothing else. The processor itself sees to that.
static void user_memory(void) {
    WRITE(pmpaddr0, (word)user_begin >> 2);
    WRITE(pmpaddr1, (word)user_end >> 2);
    WRITE(pmpcfg0, 0x0f00ul); // from the first address to the second: read, write, execute
}

void kernel_main(void) {
    print("Hello, world! I am your kernel.\n");
    user_memory();
    run_user(user_main, user_end);
}

enum { SYSTEM_CALL = 8 }; // what mcause says when a program has used ecall

// trap is called when the program stops: it wants something, or it has done something that it may not.
word trap(word first, word second, word third, word number) {
    (void)third;
    if (READ(mcause) != SYSTEM_CALL) {
        print("kernel: the program touched ");
        print_hex(READ(mtval));
        print(", which is not its own. I stopped it.\n");
        rest();
    }
    WRITE(mepc, READ(mepc) + 4); // go on after the ecall
    return system_call(number, first, second);
}

// rest: nothing is left to do.
void rest(void) {
    for (;;) {
        asm volatile("wfi");
    }
}
