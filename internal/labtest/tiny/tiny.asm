; An operating system of one sector, for tests of machines with a screen: it knows a keyboard, a screen, and nothing
; else. It reads a line at its prompt, with Backspace, and carries out the command.

bits 16
org 0x7c00

line    equ 0x8000              ; what is typed
longest equ 100

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, start
        cld
        call cls
        mov si, hello
        call print

prompt: mov si, sign
        call print
        mov di, line
key:    xor ax, ax
        int 0x16                ; wait for a key
        cmp al, 13
        je enter
        cmp al, 8
        je back
        cmp al, ' '
        jb key
        cmp di, line + longest
        jae key
        stosb
        call put
        jmp key
back:   cmp di, line
        je key
        dec di
        mov si, rub
        call print
        jmp key

enter:  mov byte [di], 0
        mov si, crlf
        call print
        cmp byte [line], 0
        je prompt
        mov bx, commands
try:    mov si, [bx]
        test si, si
        jz unknown
        mov di, line
same:   lodsb
        cmp al, [di]
        jne next
        inc di
        test al, al
        jnz same
        call [bx + 2]
        jmp prompt
next:   add bx, 4
        jmp try
unknown:
        mov si, no
        call print
        mov si, line
        call print
        mov si, crlf
        call print
        jmp prompt

; cls clears the screen, which is in text mode then.
cls:    mov ax, 3
        int 0x10
        ret

ver:    mov si, hello
        jmp print

; lines prints 40 lines, more than the screen has.
lines:  mov cl, 1
.line:  mov si, of
        call print
        mov al, cl
        aam                     ; tens in ah, ones in al
        push ax
        mov al, ah
        call digit
        pop ax
        call digit
        mov si, crlf
        call print
        inc cx
        cmp cl, 40
        jbe .line
        ret
digit:  add al, '0'
        jmp put

; draw shows a yellow square on blue until a key is pressed.
draw:   mov ax, 0x13            ; 320x200, a byte a pixel
        int 0x10
        push es
        push 0xa000
        pop es
        xor di, di
        mov cx, 320 * 200
        mov al, 1
        rep stosb
        mov al, 14
        mov di, 83 * 320 + 141
.row:   mov cx, 40
        rep stosb
        add di, 320 - 40
        cmp di, 123 * 320
        jb .row
        pop es
        xor ax, ax
        int 0x16
        jmp cls

; off switches the machine off (APM).
off:    mov ax, 0x5301          ; connect
        xor bx, bx
        int 0x15
        mov ax, 0x5308          ; power management on, for all devices
        mov bx, 1
        mov cx, bx
        int 0x15
        mov ax, 0x5307          ; and off with them
        mov cx, 3
        int 0x15
        ret

; print prints the text at si, up to a zero.
print:  lodsb
        test al, al
        jz done
        call put
        jmp print
; put prints al.
put:    mov ah, 0x0e
        mov bx, 7
        push bx
        int 0x10
        pop bx
done:   ret

commands:
        dw n_ver, ver, n_cls, cls, n_lines, lines, n_draw, draw, n_off, off, 0

n_ver   db 'ver', 0
n_cls   db 'cls', 0
n_lines db 'lines', 0
n_draw  db 'draw', 0
n_off   db 'off', 0
hello   db 'tiny 1.0', 13, 10, 0
sign    db 'tiny> ', 0
of      db 'line ', 0
no      db 'no command: ', 0
rub     db 8, ' ', 8, 0
crlf    db 13, 10, 0

        times 510 - ($ - $$) db 0
        dw 0xaa55
