// Package image owns what machines boot from: images.lock, the downloads and
// recipes it names, the cache of ready images, the overlays machines write
// to instead of the images themselves, and bundles, in which finished images move to other
// computers.
//
// A [Lock] says what an image is (its [Profile]) and where it can come from:
// sources, best first. A [Store] turns that into an [Image], a few read-only
// files in the cache. The first source that can be had is used. A source may be
// a stand-in for the real thing; the Image then says so, and why.
//
// The cache folder holds
//
//	blobs/    verified downloads, and *.part of unfinished ones
//	builds/   ready images of recipes and image downloads, and those made of others (*-with-*), one folder each
//	added/    images the user added, one folder each
//	packages/ the names of Debian's packages, a file for each release
//	templates/  machines saved at their first prompt, one folder each
//	damaged/  what failed verification, until GC
//	failed/   which sources could not be had lately
//	logs/     the output of each recipe's last run
//	locks/    flock(2) files, so that several labruns can share the cache
//	work/     folders of builds under way
//
// A folder in builds/ or added/ appears whole, by a rename, and is never
// changed afterwards. Its image.json records the size and digest of each file;
// whoever boots from it holds a shared flock on that file, which GC respects.
package image
