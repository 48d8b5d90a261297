package sip

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
	"hotline/media"
)

// outgoing says whom to invite, and how.
type outgoing struct {
	target   sipmsg.Uri      // Request-URI
	from, to string          // as nameAddr writes them
	headers  []sipmsg.Header // to add to the INVITE
	hop      hop
	agent    string   // whose flow the dialog follows, if any
	tried    []uint64 // the serials of the agent's flows that the INVITE was sent by; none: it goes by no flow
	call     string   // that it belongs to, if any
	media    media.StreamOptions
	progress func(code int, at time.Time) // may be nil
	failed   func()                       // told that no response came; may be nil
	doubted  func()                       // told that it was taken back, and no response had come for a while; may be nil
	heard    func()                       // told of each response; may be nil
	// current, if not nil, is asked once the ring is entered, and so keeps the agent's place: whether the flow
	// was still the agent's then.
	current func() bool
	// authorize, if not nil, is who we are in an INVITE that is sent anew after a 401 or 407.
	authorize *asWhom
	// secure, if not nil, has a connection be there that is believed for whom the INVITE is for, before it is sent a second time.
	secure func(ctx context.Context) error
	// redirect, if not nil, reports whether a redirection to an address may be followed. The hop stays.
	redirect func(to sipmsg.Uri) bool
	require  []string // option tags
	// within, if not 0, is how long no response at all is waited for. The INVITE is then taken back in the background.
	within time.Duration
	// deaf, if not nil, is told that nothing came over the connection that the INVITE was too large for UDP to do without; the
	// INVITE is then taken back as after within.
	deaf func()
	// claim, if not nil, is what an agent's phone is rung by; relayed: by way of another node, which is the hop.
	claim   *call.RingClaim
	relayed bool
}

// ringing is one INVITE of ours, from its sending to its final response.
type ringing struct {
	ua     *UA
	o      outgoing
	stream media.Stream
	offer  []byte
	told   netip.Addr // of what offer says: media.StreamOptions.Advertise
	d      dialog
	req    *sipmsg.Request
	tx     *sipmsg.ClientTx
	began  time.Time
	// over is the connection that the INVITE left by, nil over UDP; sent is when.
	over *trackedConn
	sent time.Time
	// loss is of that connection, until something was heard.
	loss    loss
	cut     cut         // why the ring ended, if that was its connection
	deaf    atomic.Bool // nothing came over it for so long that silence was told
	givenUp bool        // abandoned
	heard   bool        // a provisional response came: CANCEL may be sent (RFC 3261 section 9.1)

	byes map[string]time.Time // by dialog id: BYEs that were handled before their 2xx; the leg table's

	// What the next INVITE is to have after a refusal; see remedies.
	challenges map[int]challenge // by status
	asked      *demand           // by the first of them; nil before
	refused    []string          // option tags that the far end does not support
	redirected bool
	lengthened int // how often a 422 was obeyed

	// allLost has a token when no phone that rang knows of it any more.
	allLost chan struct{}

	mu    sync.Mutex
	acks  map[string]*sipmsg.Request // by To tag: what each repeated 2xx is answered with again; forksMost at most
	early map[string]*early          // by To tag, earlyMost at most
	void  bool                       // the first 2xx makes no dialog, so that it has no ACK
}

// cut is what became of the connection of an INVITE before anything was heard.
type cut uint8

const (
	cutNot cut = iota
	// cutUnsent: it was dying when the INVITE was to leave.
	cutUnsent
	// cutLost: it was lost afterwards. The INVITE may have arrived all the same.
	cutLost
)
