package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"hotline/call"
	"hotline/web/peer"
)

// yielded is what a node knows of phones that it gave up.
type yielded struct {
	Past []past `json:"past"`
}

// past is a call.GatePast on its way to another node: instants are told by how long ago they were, since no two nodes'
// clocks are alike.
type past struct {
	Agent   string     `json:"agent"`
	Highest call.Token `json:"highest"`
	Leg     *pastLeg   `json:"leg,omitempty"`
}

type pastLeg struct {
	call.GateLeg
	SinceAgo    time.Duration  `json:"since"` // nanoseconds
	RungAgo     *time.Duration `json:"rung,omitempty"`
	AnsweredAgo *time.Duration `json:"answered,omitempty"`
}

func pastOf(now time.Time) func(call.GatePast) past {
	return func(p call.GatePast) past {
		out := past{Agent: p.Agent, Highest: p.Highest}
		if p.Leg != nil {
			out.Leg = &pastLeg{GateLeg: *p.Leg, SinceAgo: now.Sub(p.Leg.Since), RungAgo: ago(now, p.Leg.Rung), AnsweredAgo: ago(now, p.Leg.Answered)}
		}
		return out
	}
}

func ago(now, at time.Time) *time.Duration {
	if at.IsZero() {
		return nil
	}
	return new(now.Sub(at))
}

func (p past) gate(now time.Time) call.GatePast {
	out := call.GatePast{Agent: p.Agent, Highest: p.Highest}
	if p.Leg != nil {
		leg := p.Leg.GateLeg
		leg.Since, leg.Rung, leg.Answered = now.Add(-p.Leg.SinceAgo), time.Time{}, time.Time{}
		if p.Leg.RungAgo != nil {
			leg.Rung = now.Add(-*p.Leg.RungAgo)
		}
		if p.Leg.AnsweredAgo != nil {
			leg.Answered = now.Add(-*p.Leg.AnsweredAgo)
		}
		out.Leg = &leg
	}
	return out
}

// AskYield has the node at an address give up the flows of phones, as [Site].Yield does there. Errors: it did not answer,
// is no node of this hotline, or is another process than the one that is meant.
func AskYield(ctx context.Context, p *peer.Peer, addr string, of call.NodeID, agents []string) ([]call.GatePast, error) {
	var got yielded
	if err := askNode(ctx, p, addr, "yield", asked{Of: of, Agents: agents}, &got); err != nil {
		return nil, err
	}
	now := time.Now()
	return each(got.Past, func(p past) call.GatePast { return p.gate(now) }), nil
}

// AskHolds asks the node at an address which calls it holds, as [Site].Holds does there. Errors: as AskYield.
func AskHolds(ctx context.Context, p *peer.Peer, addr string, of call.NodeID, calls []string) ([]string, error) {
	var got asked
	if err := askNode(ctx, p, addr, "holds", asked{Of: of, Calls: calls}, &got); err != nil {
		return nil, err
	}
	return got.Calls, nil
}

// AskAnnotate has the node at an address give a code to a talk, as [Site].Annotate does there. Errors: as AskYield.
func AskAnnotate(ctx context.Context, p *peer.Peer, addr, id, agent string, code call.WrapUpCode) (there bool, err error) {
	var got note
	if err := askNode(ctx, p, addr, "annotate", note{Call: id, Agent: agent, Code: code}, &got); err != nil {
		return false, err
	}
	return got.There, nil
}

// AskReady asks the node at an address whether it takes calls. Errors: as AskYield.
func AskReady(ctx context.Context, p *peer.Peer, addr string) (ready bool, err error) {
	var got readiness
	if err := askNode(ctx, p, addr, "ready", struct{}{}, &got); err != nil {
		return false, err
	}
	return got.Ready, nil
}

func askNode(ctx context.Context, p *peer.Peer, addr, what string, q, v any) error {
	body, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("ask node: %w", err)
	}
	return p.Ask(ctx, addr, peer.Request{Method: http.MethodPost, URI: sitePath + what, Body: body}, v)
}

// sitePath is below which nodes ask each other.
const sitePath = "/api/v1/site/"
