package call

// Result is the closed set of what became of a call. It is a metric's label.
type Result string

// The results.
const (
	Answered   Result = "answered"  // an agent and the caller were joined
	Overflowed Result = "overflow"  // a number outside, to which a queue led that turned the caller away, took the call
	Abandoned  Result = "abandoned" // the caller left before an agent answered
	Message    Result = "message"   // the caller left a message
	CalledFor  Result = "callback"  // the caller asked to be called back; another call does that
	Informed   Result = "informed"  // the menus gave the caller what there was, and no agent was wanted
	Failed     Result = "failed"    // the hotline could not go on
)

// Reason is the closed set of why a call ended as it did.
type Reason string

// The reasons. A change of why a call ended is made here.
const (
	ReasonCallerHangup Reason = "caller-hangup"  // the caller's BYE or CANCEL
	ReasonAgentHangup  Reason = "agent-hangup"   // the agent's BYE after talk
	ReasonCallerLost   Reason = "caller-lost"    // the caller's leg broke: no ACK, transport gone
	ReasonNoMedia      Reason = "no-media"       // nothing was heard of the caller, whose phone was asked and did not answer
	ReasonNoPrompt     Reason = "no-prompt"      // what had to be said could not be played
	ReasonNoMenu       Reason = "no-menu"        // the menu named does not exist
	ReasonNoQueue      Reason = "no-queue"       // the queue named does not exist
	ReasonBadRoute     Reason = "bad-route"      // the number leads nowhere that exists
	ReasonShutdown     Reason = "shutdown"       // the drain's deadline passed
	ReasonCrash        Reason = "crash"          // the process died; closed at the next start
	ReasonPanic        Reason = "panic"          // a fault in one call's handling, contained to it
	ReasonBug          Reason = "forbidden-move" // a stage asked for a move the table does not have
	ReasonBridge       Reason = "bridge"         // caller and agent could not be joined
	ReasonTransferred  Reason = "transferred"    // a consultation whose parties went on in another call
	ReasonBusy         Reason = "busy"           // the party wanted was busy
	ReasonDeclined     Reason = "declined"       // the party wanted refused
	ReasonNoAnswer     Reason = "no-answer"      // the party wanted did not answer
	ReasonUnreachable  Reason = "unreachable"    // the party wanted cannot be reached
	ReasonNotFound     Reason = "not-found"      // there is no such number
	ReasonForbidden    Reason = "forbidden"      // nothing allows the number to be called
	ReasonOverload     Reason = "overload"       // no line was left for any call but an alarm
	ReasonPartyLost    Reason = "party-lost"     // the party's leg broke, and there is no queue to go back to
	ReasonMenu         Reason = "menu"           // a menu ended the call
	ReasonCallback     Reason = "callback"       // to be called back
	ReasonCode         Reason = "code"           // a feature code was acted on
	ReasonSupervised   Reason = "supervised"     // a supervisor heard another call
	ReasonWithdrawn    Reason = "withdrawn"      // a callback, or a supervisor, that was taken back
)

// isCallers reports whether the end of the caller's leg was why.
func (r Reason) isCallers() bool {
	return r == ReasonCallerHangup || r == ReasonCallerLost || r == ReasonNoMedia
}

// reasonOf is why a call ended whose one try at somebody came to nothing.
func reasonOf(why Cause) Reason {
	if r, ok := reasons[why]; ok {
		return r
	}
	return ReasonUnreachable
}

var reasons = map[Cause]Reason{
	CauseBusy: ReasonBusy, CauseOverload: ReasonBusy, CauseDeclined: ReasonDeclined, CauseNoAnswer: ReasonNoAnswer,
	CauseNotFound: ReasonNotFound, CauseForbidden: ReasonForbidden, CauseShutdown: ReasonShutdown,
}

// causes is what the end of a call means for a caller's leg that was never answered; any other ends as an
// answered one does, or by a fault of ours if the call failed.
var causes = map[Reason]Cause{
	ReasonShutdown: CauseShutdown, ReasonBusy: CauseBusy, ReasonDeclined: CauseDeclined,
	ReasonNoAnswer: CauseNoAnswer, ReasonUnreachable: CauseUnreachable, ReasonNotFound: CauseNotFound,
	ReasonForbidden: CauseForbidden,
}

// cause is why the legs of a call that ended so are hung up.
func (e End) cause() Cause {
	if why, ok := causes[e.Reason]; ok {
		return why
	}
	if e.Result == Failed {
		return CauseError
	}
	return CauseBye
}

// transferCause is what a call's end means for a transfer under way: mostly that the caller has left.
func (e End) transferCause() Cause {
	if e.Reason == ReasonShutdown || e.Result == Failed {
		return e.cause()
	}
	return CauseCancel
}

// Release is who ended the call first.
type Release string

// The parties who can release a call.
const (
	ByCaller Release = "caller"
	ByAgent  Release = "agent"
	BySystem Release = "system"
)

// End is the one verdict on a finished call. Log line, metric and record all come from it.
type End struct {
	Result Result `json:"result"`
	Reason Reason `json:"reason"`
}
