// Package screen owns what is seen on a machine's screen and what is pressed on its keyboard: pictures as QEMU's
// screendump makes them, the text that stands in them, regions that are looked for in them, the bytes that show the
// same in a terminal, and the keys that bytes of a terminal stand for. It knows neither QEMU nor a lab.
//
// # Text
//
// A VGA card draws each cell from a font that lies in the guest's ROM, so a cell's pixels say exactly which character
// it holds ([Font.Read]): nothing is guessed. The memory at 0xb8000 would say it only where nothing has scrolled, as
// Linux moves the card's window over that memory. Cells that look the same are read as one: code page 437 has three
// blanks, and a full block in a dark colour is a blank on that colour. Where a cell could be a character or its
// opposite with the colours exchanged (▄ and ▀), the one is read whose background is a dark colour, as text mode has, or black.
// Where Linux draws letters itself, on a graphical screen, all of ASCII is read, too; what is neither is graphics.
//
// The cursor is part of the picture, and blinks: half of the time nobody can tell where it is. What it covers
// of a character is left out when that is looked up.
//
// # A screen as a stream
//
// [Stream] turns a screen that changes into what a terminal is to be sent to show it, so that all that is done with a
// serial port's text can be done with a screen's. What was appended is appended; a screen that scrolled scrolls; a row
// that changed within is printed anew, whole, on a line of its own for those who read the stream as text. Trailing
// blanks are told by the cursor alone (`grub> `): they are sent when it is seen behind them.
//
// All movement is relative, so that the screen needs no terminal to itself: it begins on the line where
// the terminal's cursor is, and what scrolls off is in the terminal's history, as with a serial port. A terminal of 24
// lines, one less than the screen has, shows the lower 24.
//
// A line that goes on in the next row, since it is longer than the screen is wide, is one line in the stream (by ESC E, which
// moves a terminal as CR LF does, and is no newline to those who read the text). It is taken for one if both
// rows meet in characters that are no drawing.
//
// A guest that copies its rows to scroll may be looked at in the middle of that. What was seen then is held back until it
// is seen again ([Stream.Unsettled]); text that is appended is not.
//
// Lines that scrolled off between two looks are lost, and [Lost] says so in their place.
package screen
