// The numbers by which a program asks the kernel for something. Both must know them.
#pragma once

enum {
    SYS_EXIT = 0,  // the program has ended
    SYS_PRINT = 1, // print a text
    SYS_TIME = 2,  // how many microseconds ago the board was switched on
};

#define NO_SUCH_CALL (-1ul)
