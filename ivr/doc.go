// Package ivr owns the menus a caller chooses a service by: it checks their graph once, when it is
// loaded, and walks one menu at a time for package call, whose port [call.Menus] it fills.
//
// Menus are data. What a node of the graph does when a caller comes to it is its kind, one line of
// the table in node.go. A node does not enter the next one itself: it returns a [call.Next], so that
// every step is journalled by call.Run and can be taken up again after a restart.
//
// Goroutines: [Menus] never changes after [New]; any number of calls walk it at once, each from the
// goroutine that owns the call. Nothing here starts a goroutine or keeps a timer: waiting is the
// [call.Line]'s.
package ivr
