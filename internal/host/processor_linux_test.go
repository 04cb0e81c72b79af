package host

import "testing"

func TestFirstProcessor(t *testing.T) {
	const cpuinfo = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 106\nmodel name\t: A CPU @ 2.60GHz\n" +
		"stepping\t: 6\nmicrocode\t: 0xd\ncpu MHz\t\t: 2593.906\nflags\t\t: fpu vme\n\nprocessor\t: 1\ncpu MHz\t\t: 1.0\n"
	want := Processor{
		Model: "vendor_id GenuineIntel\ncpu family 6\nmodel 106\nmodel name A CPU @ 2.60GHz\nstepping 6\n",
		MHz:   "2593", Flags: "fpu vme", Microcode: "0xd",
	}
	if got, err := firstProcessor(files("cpuinfo", cpuinfo)); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if got, err := firstProcessor(files("cpuinfo", "cpu MHz : 800.5\nflags : fpu aperfmperf\n")); err != nil || got.MHz != "" {
		t.Errorf("a frequency that changes: %+v, %v", got, err)
	}
	if got, err := firstProcessor(files()); err == nil {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestKernelAndBoot(t *testing.T) {
	if release, err := Kernel(); err != nil || release == "" {
		t.Errorf("kernel %q, %v", release, err)
	}
	if len(BootID()) != len("01234567-89ab-cdef-0123-456789abcdef") {
		t.Errorf("boot %q", BootID())
	}
	if CPUs() < 1 {
		t.Errorf("%d processors", CPUs())
	}
}
