package cli

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/labrun/labrun/builtins"
	"github.com/labrun/labrun/internal/analysis"
)

// addCompletion tells the shells' completion (`labrun completion --help`) what the
// arguments of the commands can be. What has no entry here is a file's name.
func (p *program) addCompletion(root *cobra.Command) {
	root.ValidArgsFunction = oneOf(missions)
	flag := func(name string, complete cobra.CompletionFunc) {
		if root.Flags().Lookup(name) != nil {
			root.RegisterFlagCompletionFunc(name, complete) // it fails for a flag that has one already
		}
	}
	flag("allow", cobra.FixedCompletions([]string{"host"}, cobra.ShellCompDirectiveNoFileComp))
	flag("records", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	for _, c := range root.Commands() {
		switch c.Name() {
		case "check", "serve":
			c.ValidArgsFunction = someOf(missions)
		case "doctor":
			c.ValidArgsFunction = oneOf(func(begun string) ([]string, cobra.ShellCompDirective) {
				names, directive := missions(begun)
				return append(wishes(), names...), directive
			})
		case "doc":
			c.ValidArgsFunction = oneOf(func(string) ([]string, cobra.ShellCompDirective) {
				return described(), cobra.ShellCompDirectiveNoFileComp
			})
		case "images":
			for _, sub := range c.Commands() {
				switch sub.Name() {
				case "show", "fetch", "build", "verify":
					sub.ValidArgsFunction = someOf(p.imageNames)
				case "add", "remove", "push":
					sub.ValidArgsFunction = oneOf(p.imageNames)
				case "pull": // nobody knows what a registry has
					sub.ValidArgsFunction = cobra.NoFileCompletions
					sub.RegisterFlagCompletionFunc("as", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
						return p.imageNames("")
					})
				case "export":
					sub.ValidArgsFunction = func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
						if len(args) == 0 {
							return nil, cobra.ShellCompDirectiveDefault
						}
						return p.imageNames(begun)
					}
				}
			}
		}
	}
}

// someOf completes every argument, oneOf the first one only.
func someOf(list func(begun string) ([]string, cobra.ShellCompDirective)) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return list(begun)
	}
}

func oneOf(list func(begun string) ([]string, cobra.ShellCompDirective)) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		switch {
		case len(args) == 0:
			return list(begun)
		case c.Name() == "add": // what is added is a file
			return nil, cobra.ShellCompDirectiveDefault
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// missions lists the built-in missions, and the scripts and folders that a path
// which was begun may become.
func missions(begun string) ([]string, cobra.ShellCompDirective) {
	var all []string
	if !strings.ContainsRune(begun, '/') {
		for _, name := range missionNames() {
			all = append(all, name+"\tbuilt in")
		}
	}
	folder, base := filepath.Split(begun)
	entries, _ := os.ReadDir(filepath.Join(".", folder))
	if filepath.IsAbs(begun) {
		entries, _ = os.ReadDir(folder)
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	for _, e := range entries {
		switch {
		case !strings.HasPrefix(e.Name(), base) || strings.HasPrefix(e.Name(), ".") && base == "":
		case e.IsDir():
			all, directive = append(all, folder+e.Name()+"/"), cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace
		case strings.HasSuffix(e.Name(), ".star"):
			all = append(all, folder+e.Name())
		}
	}
	return all, directive
}

func described() []string {
	var all []string
	for _, e := range builtins.Table() {
		all = append(all, e.Name+"\t"+e.Summary)
	}
	for _, library := range analysis.Libraries() {
		for _, f := range library.Functions {
			all = append(all, f.Name+"\t"+f.Summary())
		}
	}
	return all
}

func (p *program) imageNames(string) ([]string, cobra.ShellCompDirective) {
	lock, err := p.lock()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return lock.Names(), cobra.ShellCompDirectiveNoFileComp
}
