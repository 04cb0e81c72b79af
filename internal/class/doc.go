// Package class owns the teacher's view of a course: what its students' runs report, what is
// kept of that, and what can be read from it. Package serve shows it as a page.
//
// # How events come here
//
// Each student's run reports by itself: it connects to a Unix socket of the class's, which
// LABRUN_CLASS names, and tells what happens (attach.Server.Report). The other way, a class that goes
// through the doors of all runs, was left: a door opens to its own user and root only, so the class, with a
// web page, would have to be root on a server of many users; it would miss the runs that begin
// and end between two looks; and what a student lets others do would be decided by who looks. So:
//
//   - The kernel says whose process reports. No user needs a token, and none can report as
//     another. Where a course's students share an account, as below some hubs, the ID that a run was
//     given (--student) tells them apart, and it is shown whose process said so.
//   - What leaves the run is decided in the student's own process: what attach.Reported lets
//     through, and who may type. What students type at machines never comes here.
//   - The class needs no rights: it is a user like any other. JupyterHub's spawner, or the login, sets
//     one variable. It works with containers that are given the socket.
//   - A run goes on without its class, and tells it later what it has missed: the class says how much it has
//     kept, so that it may be stopped and killed as one likes. What a run that has ended meanwhile has
//     not told is told with the next one: that begins by saying how the steps before were done.
//   - To look at a console the class calls the run, which comes back and is its own
//     door for a guest: the same bytes by the same code as for anybody else.
//
// # What is kept
//
// Of each run: who, when, in which mission; of each step when it began, how long it took and how it ended; the hints that were
// taken; wrong answers and what was refused, with their times; when each instruction was done. That is a Run, and
// there is nothing else: events are folded as they come, and not kept. The same of files that were handed in. Whoever runs the class
// can have a student, or what is older than some days, forgotten.
package class
