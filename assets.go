// Package labrun holds the data that an installed labrun carries with it: the
// list of images, the recipes that build them, the missions, and the libraries that
// missions load.
package labrun

import (
	"embed"
	"io/fs"
)

// ImagesLock is the file images.lock.
//
//go:embed images.lock
var ImagesLock []byte

//go:embed all:images
var images embed.FS

//go:embed all:missions
var missions embed.FS

//go:embed lib
var libraries embed.FS

// Images returns the folder images, with one recipe in each of its folders.
func Images() fs.FS { return sub(images, "images") }

// Missions returns the folder missions.
func Missions() fs.FS { return sub(missions, "missions") }

// Libraries returns the folder lib: what missions load as @labrun//NAME.star.
func Libraries() fs.FS { return sub(libraries, "lib") }

func sub(tree embed.FS, folder string) fs.FS {
	f, err := fs.Sub(tree, folder)
	if err != nil {
		panic(err) // the folder's name is a constant and valid
	}
	return f
}
