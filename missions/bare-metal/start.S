# What cannot be said in C: how the kernel begins, how it gives the processor to the program, and how it gets it back.

        .text
        .globl start
start:                                  # the board's processor begins here
        la      sp, kernel_stack        # C needs a stack
        la      t0, trap_entry
        csrw    mtvec, t0               # whatever happens later leads there
        j       kernel_main

# run_user(program, stack): leave the kernel for the program, with the rights of a user.
        .globl run_user
run_user:
        csrw    mepc, a0                # where to go on
        li      t0, 3 << 11
        csrc    mstatus, t0             # "who was at work before": the user
        csrw    mscratch, sp            # the kernel's stack, for the way back
        mv      sp, a1
        mret

# The program has asked for something, or done what it may not: back in the kernel. A system call is like a call of a
# function, so the program expects a0 to change, and all that a function may change.
        .balign 4
trap_entry:
        csrrw   sp, mscratch, sp        # the kernel's stack, and keep the program's
        addi    sp, sp, -32
        sd      ra, 0(sp)
        sd      s0, 8(sp)
        csrr    s0, mscratch
        sd      s0, 16(sp)
        mv      a3, a7                  # trap(first, second, third, number)
        call    trap
        ld      ra, 0(sp)
        ld      s0, 16(sp)
        addi    t0, sp, 32
        csrw    mscratch, t0
        mv      t1, s0
        ld      s0, 8(sp)
        mv      sp, t1
        mret
