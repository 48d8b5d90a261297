package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// errNotOurs: a leg of somebody else was given to a set of phones.
var errNotOurs = errors.New("sip: not a leg of these phones")

// Hold puts the far end of a phone's call on hold, or takes it back, by a re-INVITE (RFC 3264 section 8.4), and
// returns when that is answered. Asked to try later (491, 500), it does. Errors: a *StatusError for another
// refusal; one when the call is over or ctx is done.
func (s *Phones) Hold(ctx context.Context, party call.Leg, on bool) error {
	l, ok := party.(*leg)
	if !ok || l.ua != s.ua {
		return fmt.Errorf("hold: %w", errNotOurs)
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return fmt.Errorf("hold: %w", context.Cause(ctx))
	}
	for {
		res, err := l.reoffer(l.holding(on)) //nolint:contextcheck // it is owed its end, whatever becomes of ctx
		switch {
		case errors.Is(err, errTheirs):
		case err != nil:
			return fmt.Errorf("hold: %w", err)
		case res.IsSuccess():
			return nil
		case res.StatusCode != sipmsg.StatusRequestPending && res.StatusCode != sipmsg.StatusInternalServerError:
			return fmt.Errorf("hold: %w", &StatusError{Method: sipmsg.INVITE.String(), Code: res.StatusCode})
		}
		if !lull(l, l.glareWait(), ctx.Done()) && ctx.Err() != nil {
			return fmt.Errorf("hold: %w", context.Cause(ctx))
		}
	}
}

// holding is an offer that wants audio both ways, or only sends.
func (l *leg) holding(on bool) func() ([]byte, error) {
	return func() ([]byte, error) {
		offer, err := l.stream.Offer()
		if on {
			offer = bytes.Replace(offer, []byte("a=sendrecv"), []byte("a=sendonly"), 1)
		}
		return offer, err
	}
}
