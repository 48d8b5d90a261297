package sip

import (
	"sync"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// reacks acknowledges what refuses our INVITEs over UDP when it comes again: its ACK was lost (RFC 3261 section
// 17.1.1.2). sipgo's transaction acknowledges the first at once, but each later one T2 after the one before.
// It is used on the goroutine that reads, and its lock is a leaf.
type reacks struct {
	mu sync.Mutex
	// invites holds the INVITEs whose transaction lives, by branch.
	invites map[string]*watched
}

// watched is one INVITE of ours, and whether it was refused.
type watched struct {
	invite  *sipmsg.Request
	refused bool
}

func newReacks() *reacks { return &reacks{invites: make(map[string]*watched)} }

// watch follows an INVITE of ours until its transaction ends. It is called before the INVITE is sent.
func (t *reacks) watch(tx *sipmsg.ClientTx) {
	invite := tx.Origin()
	if reliable(invite.Transport()) {
		return // nothing is lost there, and nothing comes again
	}
	branch := invite.Via().Params.GetOr("branch", "")
	t.mu.Lock()
	defer t.mu.Unlock()
	t.invites[branch] = &watched{invite: invite}
	tx.OnTerminate(func(string, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.invites, branch)
	})
}

// again returns the ACK that a response is owed by us, made anew since sipgo writes on what it sends: nil unless it
// is a refusal that came before.
func (t *reacks) again(res *sipmsg.Response) *sipmsg.Request {
	via, to, seq := res.Via(), res.To(), res.CSeq()
	if via == nil || to == nil || seq == nil || seq.MethodName != sipmsg.INVITE || res.StatusCode < statusMultipleChoices {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.invites[via.Params.GetOr("branch", "")]
	if w == nil {
		return nil
	}
	if !w.refused {
		w.refused = true
		return nil
	}
	return alongside(sipmsg.ACK, w.invite, to)
}

// refusedAgain acknowledges a refusal that comes again. It is called on the read loop's goroutine, which does not
// write.
func (u *UA) refusedAgain(res *sipmsg.Response) {
	ack := u.reacks.again(res)
	if ack == nil {
		return
	}
	u.background("ack", func() {
		if err := u.transport.WriteMsg(ack); err != nil {
			u.log.Debug("ACK of a refusal not sent again", zap.Error(err))
		}
	})
}
