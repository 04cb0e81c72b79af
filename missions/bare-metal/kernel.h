// What the parts of the kernel know of each other.
#pragma once

typedef unsigned long word; // 64 bits

// console.c
void put(char letter);
void print(const char *text);
void print_hex(word number);

// syscalls.c
word system_call(word number, word first, word second);

// kernel.c
_Noreturn void rest(void);

// start.S
_Noreturn void run_user(void (*program)(void), void *stack);

// board.ld: only their addresses mean something
extern char user_begin[], user_end[];

// user.c
void user_main(void);
