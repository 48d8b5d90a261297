package sip

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// Who is heard is there, though the signalling is not answered: a call in which people talk is not ended for a fact about
// its audio. One that was heard before it was asked is not there, and whoever denies the dialog has none.
func TestHeardIsNotLost(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(l *leg){"ask": (*leg).Ask, "mend": (*leg).Mend} {
		for _, c := range []struct {
			code  int // 0: no answer
			heard bool
			lives bool
		}{{0, true, true}, {0, false, false}, {408, true, true}, {408, false, false}, {481, true, false}} {
			t.Run(fmt.Sprint(name, " ", c.code, " ", c.heard), func(t *testing.T) {
				t.Parallel()
				r, k, l, _ := upWith(t, func(o *Options) { o.T1 = 20 * time.Millisecond })
				stream := r.engine.opened()[0]
				stream.hear()
				ask(l)
				req := k.p.expect("INVITE", "INVITE")
				if c.heard {
					stream.hear()
				}
				if c.code != 0 {
					k.p.respond(req, c.code, "Whatever", "", "")
					k.p.expect("ACK", "ACK")
				}
				if c.lives {
					proved(t, l)
					alive(t, k.p, l)
					return
				}
				require.Equal(t, call.CauseNoMedia, ended(t, l).Why)
				k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
			})
		}
	}
}

// A dialog that is silent by itself, as when it is to be refreshed, is judged by its signalling alone.
func TestSilentThoughHeard(t *testing.T) {
	t.Parallel()
	r, k, l, _ := upWith(t, func(o *Options) { o.T1 = 20 * time.Millisecond })
	r.ask(l)
	k.p.expect("INVITE", "INVITE")
	r.engine.opened()[0].hear()
	require.Equal(t, call.CauseSilent, ended(t, l).Why)
	k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
}

// hear has a packet come now.
func (s *fakeStream) hear() {
	now := time.Now()
	s.heard.Store(&now)
}
