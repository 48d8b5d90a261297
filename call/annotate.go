package call

import "slices"

// WrapUpCode is what an agent said of a talk: the code of the queue's list, and its text as it was then.
type WrapUpCode struct {
	Code string `json:"code"`
	Text string `json:"text,omitempty"`
}

// Annotated tells a call that something was noted of its talks, see [Exchange.Annotate]. It may be lost: the
// call's end looks for itself.
type Annotated struct{}

func (Annotated) command() {}

// Annotate gives a code to the last talk that an agent had in a call: by the call itself while it goes on,
// else in its finished record. It does not block; a later code replaces an earlier one.
func (x *Exchange) Annotate(callID, agent string, code WrapUpCode) {
	if !x.AnnotateLive(callID, agent, code) {
		x.Records.Annotate(callID, agent, code)
	}
}

// AnnotateLive does so for a call in progress alone, and reports whether it is.
func (x *Exchange) AnnotateLive(callID, agent string, code WrapUpCode) bool {
	x.mu.Lock()
	c := x.calls[callID]
	if c != nil { // it cannot be removed before it has the note
		c.note(agent, code)
	}
	x.mu.Unlock()
	if c != nil {
		c.post(Annotated{})
	}
	return c != nil
}

// note keeps what is to be written into the record: one code for each agent.
func (c *Call) note(agent string, code WrapUpCode) {
	c.postMu.Lock()
	defer c.postMu.Unlock()
	if c.notes == nil {
		c.notes = map[string]WrapUpCode{}
	}
	c.notes[agent] = code
}

// takeNotes takes what was noted since the last time.
func (c *Call) takeNotes() map[string]WrapUpCode {
	c.postMu.Lock()
	defer c.postMu.Unlock()
	notes := c.notes
	c.notes = nil
	return notes
}

// annotate writes what was noted into the record.
func (c *Call) annotate() {
	for agent, code := range c.takeNotes() {
		c.rec.Annotate(agent, code)
	}
}

// annotateLate writes what was noted while the record was being finished; the call is in no list any more, so
// that nothing comes after it.
func (c *Call) annotateLate() {
	for agent, code := range c.takeNotes() {
		c.x.Records.Annotate(c.id, agent, code)
	}
}

// Annotate gives a code to the last talk of an agent, and reports whether there is one. The talks are copied
// before they change.
func (r *Record) Annotate(agent string, code WrapUpCode) bool {
	for i, t := range slices.Backward(r.Talks) {
		if t.Agent == agent {
			r.Talks = slices.Clone(r.Talks)
			r.Talks[i].Code = &code
			return true
		}
	}
	return false
}

// MadeBy is the agent whose phone made the call; empty for a caller's.
func (r *Record) MadeBy() string {
	if !r.agentMade() {
		return ""
	}
	return r.Trunk[len(agentTrunk):]
}

// hungUpByAgent reports whether it was an agent, talking for a queue, who hung up first.
func (t TalkRecord) hungUpByAgent() bool {
	return t.Agent != "" && t.Queue != "" && t.Release == ByAgent
}
