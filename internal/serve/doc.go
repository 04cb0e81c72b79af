// Package serve owns the lab in a browser: an HTTP server on this computer that shows the
// page, lists missions, starts and stops runs, and carries what is said between browsers
// (websockets) and the doors of the runs (package attach).
//
// It keeps no state of a lab. A run is a process of its own with a door; whoever started
// it, any server finds it by that, and a page that lost its server finds all again at the
// next one.
//
// Who may come in is told by a secret, which is in the address that labrun prints, and
// is changed for a cookie of that browser's at the first visit. A link for watching has a
// token instead, which is good for one run and lets nobody type or say anything. Every
// request has to name this computer or an address that was given by --origin, so that no
// other site reaches the server through its visitor's browser.
//
// In a JupyterHub the hub says who comes in (hub.go), and the secret is for links only.
//
// A path is recognised by its end, so that the page works below whatever prefix a proxy
// gives it, stripped or not; the cookie has no path of its own, so that the browser takes
// that of the page as it sees it.
package serve
