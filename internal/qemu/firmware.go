package qemu

import "os"

// FirmwarePackage is Debian's package of UEFI for machines.
const FirmwarePackage = "ovmf"

// firmwares are the places where distributions put UEFI for x86_64 (OVMF), without the check
// of signatures that would keep a lab's own systems from booting.
var firmwares = []struct{ code, variables string }{
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"}, // Debian, Ubuntu
	{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
	{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"}, // Fedora
}

// UEFI finds the firmware of machines that boot by UEFI: its code, which all share, and its
// variables, of which each machine has a copy. Not ok: it is not installed.
func UEFI() (code, variables string, ok bool) {
	for _, f := range firmwares {
		_, noCode := os.Stat(f.code)
		_, noVariables := os.Stat(f.variables)
		if noCode == nil && noVariables == nil {
			return f.code, f.variables, true
		}
	}
	return "", "", false
}
