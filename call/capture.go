package call

// Capture is what became of a capture of a call.
type Capture struct {
	// Packets were written, Missed are those of the call that were not: there were more at once than there was room for, or
	// one was too large.
	Packets, Missed int
	// Unsure are SIP messages of no call that were not looked at: one of them may have been of a new leg of this call.
	Unsure int
	// End is why it ended; empty where that was an error.
	End CaptureEnd
}

// CaptureEnd is why a capture ended.
type CaptureEnd string

// The ends of captures.
const (
	CaptureCallOver CaptureEnd = "call-over" // the call was over
	CaptureTimeOver CaptureEnd = "time-over" // it had lasted as long as was asked for
	CaptureFull     CaptureEnd = "full"      // it had as many octets as one may have
	CaptureStopped  CaptureEnd = "stopped"   // by who asked for it, or since the process ends
)
