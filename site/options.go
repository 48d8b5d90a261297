package site

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Options are what a membership is made from.
type Options struct {
	Book  Book
	Edge  Edge
	Desk  Desk
	Peers Peers
	// Name, SIP and HTTP are as in [Node].
	Name, SIP, HTTP string
	// Lease is for how long the node lives after each renewal: 1 s to 1 min; 5 s where it is 0. Renew is how often it is
	// renewed: a twentieth of the lease where it is 0.
	Lease, Renew time.Duration
	// Margin of the lease must be left for a phone of another edge to be rung: less than Lease; a fifth of it where it is 0.
	Margin time.Duration
	// ClaimWithin is for how long a ring waits for its claim; 250 ms where it is 0.
	ClaimWithin time.Duration
	// CutAfter is after how long without an answer from the book the node goes on alone; 700 ms where it is 0, so that it
	// does within a second of the book's end.
	CutAfter time.Duration
	// Deliver is until when after its claim an INVITE may reach the phone, at most; 2 s where it is 0. It is the same at all
	// nodes.
	Deliver time.Duration
	// Rings is for how long an offer may ring, at most; 3 min where it is 0. It is the same at all nodes.
	Rings time.Duration
	// Doubt is for how long a phone that is new here waits for nodes that do not answer, while the book does not say
	// whether they live; 8 s where it is 0.
	Doubt time.Duration
	// OnPanic is told of a panic in a goroutine of the membership's, which goes on, with no lock held: what it was about is done
	// again, but for a deed on an agent's claim, which is given up. Nil: it ends the process.
	OnPanic  func(where string, v any)
	Logger   *zap.Logger
	Registry prometheus.Registerer // nil: no metrics
}

// Bounds of what a node keeps in memory while the book does not serve.
const (
	maxPending = 50_000 // facts to be written
	remindMost = 25_000 // of those, facts of a book that was lost; what is older than the others is not said again
	maxPast    = 64     // nodes that are dead, kept for pastFor
	pastFor    = 10 * time.Minute
	batch      = 256 // facts in one Say
	// askWithin is for how long another node is waited for; answers come in milliseconds.
	askWithin = time.Second
	// endWithin is for how long an orphan's leg is waited for: a transaction's 32 s (RFC 3261, 64·T1) and some.
	endWithin = 40 * time.Second
	// goodbye is what is left of the time to leave for the goodbye itself.
	goodbye = time.Second
	// triesMost is how often a deed is tried that a book which answers does not take: for some 8 s.
	triesMost = 12
	// settleWithin is how long the answer to a BYE is waited for before a claim is given back.
	settleWithin = 2 * time.Second
	// lonely is after how long a phone is rid of a talk whose node and edge are dead: by its own RTP timeout, which is 30 s or
	// 60 s in the usual softphones, or by the person who hears nothing.
	lonely = time.Minute
	// flight is how long what a dead node sent may be on its way.
	flight = time.Second
	// settle is how long claims wait after the book was begun anew: the others write theirs meanwhile.
	settle = time.Second
	// stale is how old a claim, a leg or a hold must be to be held against a view that may lag behind.
	stale = 3 * time.Second
	// given is how long a claim waits for the desk to give it back, once nothing rings or talks by it.
	given = 3 * time.Second
)

func (o *Options) complete() error {
	if o.Book == nil || o.Edge == nil || o.Desk == nil || o.Peers == nil {
		return errors.New("a membership needs a book, an edge, a desk and peers")
	}
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&o.Lease, 5*time.Second)
	set(&o.Renew, o.Lease/20)
	set(&o.Margin, o.Lease/5)
	set(&o.ClaimWithin, 250*time.Millisecond)
	set(&o.CutAfter, 700*time.Millisecond)
	set(&o.Deliver, 2*time.Second)
	set(&o.Rings, 3*time.Minute)
	set(&o.Doubt, 8*time.Second)
	if o.Lease < time.Second || o.Lease > time.Minute {
		return fmt.Errorf("a lease of %v: it is 1 s to 1 min", o.Lease)
	}
	if o.Margin < 0 || o.Margin >= o.Lease {
		return fmt.Errorf("a margin of %v: it is less than the lease of %v", o.Margin, o.Lease)
	}
	if o.Renew < 0 || o.Renew > o.Lease/3 {
		return fmt.Errorf("renewal each %v: at most a third of the lease of %v", o.Renew, o.Lease)
	}
	for _, d := range []time.Duration{o.ClaimWithin, o.CutAfter, o.Deliver, o.Rings, o.Doubt} {
		if d < 0 {
			return fmt.Errorf("a time of %v: times are not negative", d)
		}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return nil
}
