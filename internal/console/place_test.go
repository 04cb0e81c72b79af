package console

import "testing"

// A console that reads again what it has read stands where it stood: its output is that of the
// line typed last, and what was waited for is not found again.
func TestPlace(t *testing.T) {
	t.Parallel()
	g := newGuest(t, machine)
	g.print("debian login: root\r\nroot@os25:~# ")
	g.send("echo one\n")
	g.print("echo one\r\none\r\nroot@os25:~# ")
	g.send("echo two\n")
	g.print("echo two\r\n[    3.123456] noise\r\ntwo\r\nroot@os25:~# ")
	g.expect(Text("two"))
	g.expect(Prompt(ShellPrompt))
	printed, place := g.c.Place()

	o := machine
	o.Place = &place
	again := newGuest(t, o)
	again.print(string(printed[:10]), string(printed[10:]))
	if err := again.c.Finished(again.ctx()); err != nil {
		t.Fatal(err)
	}
	if got := again.c.Output(); got != "two\n" {
		t.Errorf("its output is %q", got)
	}
	again.absent(Text("one"))
	again.expect(Prompt(ShellPrompt))
	again.print("\r\nFrom now on # ") // which is no prompt that is known
	if got := again.c.Waiting(); got != NoPrompt {
		t.Errorf("it waits at a prompt of kind %d", got)
	}
}
