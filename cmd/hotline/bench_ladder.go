package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hotline/sim"
)

// The servers that differ from serverUA and serverWhole in nothing but the ladder.
const (
	serverUALadder      = "user agent, ladder"
	serverWholeNoLadder = "whole hotline, no ladder"
)

// ladderPairs are the servers whose difference is the ladder: of the user agent what keeping the messages costs, of
// the whole hotline what a call pays, packing and writing included.
var ladderPairs = []struct{ name, without, with string }{
	{serverUA, serverUA, serverUALadder},
	{serverWhole, serverWholeNoLadder, serverWhole},
}

const (
	// ladderRate is in calls a second. A ladder is written some seconds after its call, those of the last seconds
	// together at the end: so few that the store drops none.
	ladderRate = 100
	// ladderTarget is what the whole hotline may cost with the ladder, of what it costs without.
	ladderTarget = 1.05
)

// ladderPair is two rounds, one right after the other: what else the machine does has hit both alike.
type ladderPair struct{ without, with benchRound }

func (p *ladderPair) ratio() float64 {
	return float64(p.with.perCall()) / float64(max(1, p.without.perCall()))
}

// ladders measures the ladder. Each pair begins with the other server than the last did, so that none has the better
// place.
func (b *benchSIPCmd) ladders(ctx context.Context, report *benchReport) error {
	if b.Pairs == 0 {
		return nil
	}
	report.ladderHead()
	for _, kind := range ladderPairs {
		var pairs []ladderPair
		for i := range b.Pairs {
			var p ladderPair
			turns := []func() error{
				func() (err error) { p.without, err = b.life(ctx, kind.without); return err },
				func() (err error) { p.with, err = b.life(ctx, kind.with); return err },
			}
			if i%2 == 1 {
				slices.Reverse(turns)
			}
			for _, turn := range turns {
				if err := turn(); err != nil {
					return fmt.Errorf("the ladder of the %s: %w", kind.name, err)
				}
			}
			pairs = append(pairs, p)
		}
		report.ladder(ladderLineOf(kind.name, pairs))
	}
	report.ladderFoot()
	return nil
}

// life is a round whose CPU time is that of the server until its end: ladders of the last calls are written then.
func (b *benchSIPCmd) life(ctx context.Context, server string) (r benchRound, err error) {
	s, err := startServer(ctx, server)
	if err != nil {
		return r, err
	}
	before, err := s.cpu()
	if err == nil {
		o := sim.FloodOptions{Server: s.addr, Number: benchNumber, From: benchFrom, Rate: ladderRate, For: b.For}
		r.FloodFigures, err = sim.Flood(ctx, o)
	}
	if err = errors.Join(err, s.stop()); err != nil {
		return r, err
	}
	if ctx.Err() != nil {
		return r, errStopped
	}
	r.cpu = s.cmd.ProcessState.UserTime() + s.cmd.ProcessState.SystemTime() - before
	return r, nil
}

// ladderLine is what the ladder of one server costs. The times are medians; so is the ratio, of the pairs' own.
type ladderLine struct {
	Server  string  `json:"ladder_of"`
	Pairs   int     `json:"pairs"`
	Offered int     `json:"offered"`
	Failed  int     `json:"failed"`
	Without float64 `json:"cpu_ms_per_call_without"`
	With    float64 `json:"cpu_ms_per_call_with"`
	Ratio   float64 `json:"ratio"`
	Least   float64 `json:"ratio_least"`
	Most    float64 `json:"ratio_most"`
}

func ladderLineOf(server string, pairs []ladderPair) ladderLine {
	l := ladderLine{Server: server, Pairs: len(pairs)}
	var without, with []time.Duration
	var ratios []float64
	for i := range pairs {
		p := &pairs[i]
		l.Offered += p.without.Offered + p.with.Offered
		l.Failed += p.without.Failed() + p.with.Failed()
		without, with = append(without, p.without.perCall()), append(with, p.with.perCall())
		ratios = append(ratios, p.ratio())
	}
	slices.Sort(ratios)
	l.Without, l.With = milliseconds(quantile(without, 0.5)), milliseconds(quantile(with, 0.5))
	l.Ratio, l.Least, l.Most = ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1]
	return l
}

func (b *benchReport) ladderHead() {
	if b.json {
		return
	}
	b.con.say("\nWhat the SIP ladder costs: CPU ms/call without it and with it, at %d calls/s,\n"+
		"in pairs of rounds that take turns; \"ratio\" is the median of the pairs' own,\n"+
		"then the least and the most. Measured to each server's end, by which all that\nwas kept is written.\n\n%s\n", ladderRate,
		cells("ladder of", 15, "pairs", 7, "calls", 8, "failed", 8, "without", 9, "with", 9, "ratio", 8, "least", 8, "most", 8))
}

func (b *benchReport) ladder(l ladderLine) {
	b.last = l
	if b.json {
		b.encode(l)
		return
	}
	b.con.say("%s\n", cells(l.Server, 15, l.Pairs, 7, l.Offered, 8, l.Failed, 8, fmt.Sprintf("%.3f", l.Without), 9,
		fmt.Sprintf("%.3f", l.With), 9, fmt.Sprintf("%.3f", l.Ratio), 8, fmt.Sprintf("%.3f", l.Least), 8, fmt.Sprintf("%.3f", l.Most), 8))
}

func (b *benchReport) ladderFoot() {
	if b.json {
		return
	}
	whole := &b.last
	verdict := "kept"
	if whole.Ratio > ladderTarget {
		verdict = "not kept"
	}
	if whole.Least <= ladderTarget && whole.Most > ladderTarget {
		verdict += ", but the pairs disagree"
	}
	b.con.say("\nThe user agent throws away what it kept; the whole hotline packs and writes it.\n"+
		"Wanted of the whole hotline: at most %.2f: %s.\n", ladderTarget, verdict)
}
