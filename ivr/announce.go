package ivr

import (
	"context"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// Prompts of planned outages.
const (
	OutageWords = "outage"      // of one that names no prompt of its own
	OutageMore  = "outage-more" // there are more than are told
)

const (
	maxTold       = 3           // outages told to one caller
	outagesWithin = time.Second // that their list may take
)

// announce tells a caller of the outages that concern them.
type announce struct {
	name, intro, area string

	next   call.Next
	shared *Options
}

// walk tells what there is. A list that cannot be had is logged, and nobody waits for it.
func (a *announce) walk(ctx context.Context, line call.Line) (call.Next, error) {
	area := ""
	if a.area != "" {
		area = line.Get(a.area)
	}
	var all []call.Outage
	var failed error
	err := line.During(ctx, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, outagesWithin)
		defer cancel()
		all, failed = a.shared.Outages(ctx)
	})
	if err != nil {
		return call.Next{}, err
	}
	if failed != nil {
		a.shared.Logger.Warn("outages not told", zap.String("call", line.ID()), zap.String("menu", a.name), zap.Error(failed))
	}
	prompts := a.prompts(all, area)
	if len(prompts) == 0 {
		line.Chose(a.name, "none")
		return a.next, nil
	}
	line.Chose(a.name, "told")
	return a.next, line.Say(ctx, prompts...)
}

// prompts are what is said of the outages that hold now in an area; empty for every area.
func (a *announce) prompts(all []call.Outage, area string) []string {
	var said []string
	now := a.shared.Clock()
	for _, o := range all {
		if !o.Concerns(now, area, a.area == "") {
			continue
		}
		if len(said) > maxTold { // the intro is among them
			return append(said, OutageMore)
		}
		if len(said) == 0 {
			said = append(said, a.intro)
		}
		said = append(said, a.words(o))
	}
	return said
}

// words are an outage's own prompt, if there is one: it may have been taken away since it was named.
func (a *announce) words(o call.Outage) string {
	if o.Prompt == "" || a.shared.Prompts == nil {
		return OutageWords
	}
	if _, err := a.shared.Prompts.Clip(o.Prompt); err != nil {
		return OutageWords
	}
	return o.Prompt
}

// buildAnnounce makes a node that tells the planned outages.
func buildAnnounce(name string, o MenuOptions, shared *Options) built {
	b := built{
		node:    &announce{name: name, intro: o.Prompt, area: o.Area, next: o.Next, shared: shared},
		ways:    []way{{field: nextField, next: o.Next, silent: true}},
		prompts: []named{{promptField, o.Prompt}, {promptField, OutageWords}, {promptField, OutageMore}},
	}
	if o.Area != "" {
		b.uses = []named{{"area", o.Area}}
	}
	return b
}
