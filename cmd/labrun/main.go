// Command labrun runs operating-system labs: a mission, written in Starlark, boots
// virtual machines, wires them into a network, types at their consoles and checks
// what they say.
package main

import (
	"os"

	"github.com/labrun/labrun/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.System()))
}
