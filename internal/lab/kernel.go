package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/labrun/labrun/internal/image"
	"github.com/labrun/labrun/internal/workshop"
)

// KernelConfig declares a machine whose kernel is the course's own. Files are named by
// slash-separated paths within its folder.
type KernelConfig struct {
	Arch    string // the processor; empty: that of the machine's image, or the usual one
	File    string
	Initrd  string // empty: none
	Cmdline string // empty: that of the machine's image, if it has one

	// Folder is where they are on this computer, an absolute path; with Sources, a folder is
	// made of them that is called Name: the student's own, which is never written over.
	Folder  string
	Sources workshop.Files
	Name    string
	Build   string // the shell command that makes the kernel there; empty: it is made already
}

// kernelMemory is what a machine without an image has if nothing is said, in MiB.
const kernelMemory = 128

// prepareKernel gives a machine its own kernel in the place of its image's, or of an image.
func (m *Machine) prepareKernel() {
	own := m.config.Kernel
	profile := m.profile
	if m.image != nil {
		copied := *m.image
		m.image = &copied
	} else {
		profile.Memory, profile.CPUs = kernelMemory, 1
		m.image = &image.Image{Profile: profile}
	}
	m.image.BIOS = false
	m.image.Kernel, m.image.Initrd = filepath.Join(m.workshop.Dir, own.File), ""
	if own.Initrd != "" {
		m.image.Initrd = filepath.Join(m.workshop.Dir, own.Initrd)
	}
	if own.Arch != "" {
		m.image.Arch = own.Arch
	}
	if own.Cmdline != "" || m.config.Image == "" {
		m.profile.Cmdline = own.Cmdline
	}
}

// openWorkshops gives the machines that have kernels of their own a folder for them. Those
// with the same sources share one. Students have theirs in the folder that they started
// labrun in, where they find it with their editor; it stays. Everybody else's goes with
// the session.
func (l *Lab) openWorkshops() error {
	known := map[string]*workshop.Workshop{}
	for _, m := range l.Machines() {
		own := m.config.Kernel
		if own == nil {
			continue
		}
		dir := own.Folder
		if own.Sources != nil {
			dir = filepath.Join(l.session.dir, own.Name)
			if l.options.Workshops != "" {
				dir = filepath.Join(l.options.Workshops, own.Name)
			}
		}
		key := dir + "\n" + own.Build
		if known[key] == nil {
			known[key] = &workshop.Workshop{Dir: dir, Sources: own.Sources, Build: own.Build}
		}
		m.workshop = known[key]
		if err := m.workshop.LayOut(); err != nil {
			return err
		}
	}
	return nil
}

// saveWorkshop copies a workshop that goes with the session into a checkpoint's folder. A
// student's own is never written over, so it is no part of one.
func (m *Machine) saveWorkshop(dir string) error {
	if !m.ownsWorkshop() {
		return nil
	}
	return workshop.Copy(filepath.Join(dir, m.config.Name+".workshop"), m.workshop.Dir)
}

// restoreWorkshop is its opposite.
func (m *Machine) restoreWorkshop(dir string) error {
	if !m.ownsWorkshop() {
		return nil
	}
	if err := os.RemoveAll(m.workshop.Dir); err != nil {
		return err
	}
	m.workshop.Forget()
	return workshop.Copy(m.workshop.Dir, filepath.Join(dir, m.config.Name+".workshop"))
}

func (m *Machine) ownsWorkshop() bool {
	return m.workshop != nil && m.config.Kernel.Sources != nil && m.lab.options.Workshops == ""
}

// Workshop returns the folder on this computer in which the machine's own kernel is made;
// empty if it has none.
func (m *Machine) Workshop() string {
	if m.workshop == nil {
		return ""
	}
	return m.workshop.Dir
}

// Edit replaces a text in a file of the machine's workshop.
func (m *Machine) Edit(file, old, text string) error {
	if m.workshop == nil {
		return fmt.Errorf("%s has no kernel of its own: its sources are in no folder", m.config.Name)
	}
	return m.workshop.Edit(file, old, text)
}

// makeKernel makes the machine's own kernel, and looks whether this machine can boot it.
func (m *Machine) makeKernel(ctx context.Context) error {
	if m.workshop == nil {
		return nil
	}
	if err := m.workshop.Make(ctx); err != nil {
		return err
	}
	_, err := m.checkKernel()
	return err
}

// KernelError says that a machine's own kernel cannot be booted.
type KernelError struct {
	Machine, File string
	Cause         error
}

func (e *KernelError) Error() string {
	return fmt.Sprintf("%s cannot boot %s: %v", e.Machine, e.File, e.Cause)
}

// Unwrap returns the cause.
func (e *KernelError) Unwrap() error { return e.Cause }

// checkKernel reads what its kernel's file says of itself.
func (m *Machine) checkKernel() (alone bool, err error) {
	own := m.config.Kernel
	for _, name := range []string{own.Initrd, own.File} {
		if name == "" {
			continue
		}
		file, err := m.workshop.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			err = errors.New("there is no such file in " + m.workshop.Dir)
			if own.Build != "" {
				err = fmt.Errorf("%w, and `%s` has not made it", err, own.Build)
			}
		}
		if err == nil && name == own.File {
			alone, err = m.arch().CheckKernel(file)
		}
		file.Close()
		if err != nil {
			return false, &KernelError{m.config.Name, name, err}
		}
	}
	return alone, nil
}

// Refresh boots the machine anew if something in its workshop has changed since its kernel
// was last made, or could not be made: then the machine runs on as it is, and that is the
// error. It reports whether anything was tried.
func (m *Machine) Refresh(ctx context.Context) (tried bool, err error) {
	if m.workshop == nil {
		return false, nil
	}
	if changed, err := m.workshop.Changed(); err != nil || !changed {
		return false, err
	}
	if err := m.makeKernel(ctx); err != nil {
		return true, err
	}
	m.stop()
	return true, m.lab.Boot(ctx, m)
}
