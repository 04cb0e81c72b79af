package script_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/labrun/labrun/internal/script"
)

// A script that is loaded only declares: nothing boots, and the function is not called.
func ExampleLoad() {
	folder := fstest.MapFS{
		"net.star": {Data: []byte(`lan = network("lan")`)},
		"lab.star": {Data: []byte(`load("./net.star", "lan")
mission(title = "Hello", api = 1)
pc = machine("pc", image = "debian", nics = [lan])

def work():
    """Switch it on"""
    boot(pc)

step(work)
`)},
	}
	options := script.Options{Images: []string{"debian"}}
	s, err := script.Load(context.Background(), folder, "lab.star", "lab.star", options)
	if err != nil {
		fmt.Println(err)
		return
	}
	d := s.Declared()
	fmt.Printf("%s: %s on %s; 1. %s\n", d.Title, d.Machines[0].Name, d.Networks[0], d.Steps[0].Title)
	// Output: Hello: pc on lan; 1. Switch it on
}

// What is wrong is told with its place, and with advice.
func ExampleError() {
	folder := fstest.MapFS{"lab.star": {Data: []byte("mission(title = \"Hello\", api = 1)\nimport os\n")}}
	_, err := script.Load(context.Background(), folder, "lab.star", "labs/lab.star", script.Options{})
	fmt.Println(err)
	// Output:
	// labs/lab.star:2:1: got import, want primary expression: there is no import: everything is here already, and load("./file.star", "name") takes names from a file
}
