// Package mediaload loads a media path with calls and checks what comes out of it: `hotline bench media` measures with
// it. It owns the phones of that load, the marks their packets carry, and the plain relay that engines are measured
// against. It shares no code with the engines: of package media it uses the ports alone.
//
// A [Load] is driven by the one goroutine that calls its methods, which sends, receives and counts. The [Plain] relay
// has a goroutine for each of its sockets, and may be called from any.
//
// How packets are seen. Each carries, as its audio, a call, a side, a number and the time of its sending, and passes a
// bridge between two legs of A-law unchanged. So the phone that receives it knows whose it is, whether one is missing,
// came twice or out of order, and how long it was under way. When it came is what the kernel noted on its arrival: a
// phone that is late to look has not made the server late. Both times are the wall clock's, as the kernel notes it: set
// while it is measured by, the clock falsifies what was under way then.
package mediaload
