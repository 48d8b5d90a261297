package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// benchReport prints what a bench found, as it finds it.
type benchReport struct {
	con  *console
	json bool
	err  error      // of what could not be written
	last ladderLine // the whole hotline's, at the end
}

// benchLine is one server at one rate: the round in the middle by CPU per call, but every failure of all rounds.
type benchLine struct {
	Rate      int     `json:"calls_per_second"`
	Server    string  `json:"server"`
	Offered   int     `json:"offered"`
	Failed    int     `json:"failed"`
	Resent    int     `json:"resent"`
	P50       float64 `json:"invite_to_200_p50_ms"`
	P99       float64 `json:"invite_to_200_p99_ms"`
	PerCall   float64 `json:"cpu_ms_per_call"`
	TimesBare float64 `json:"times_bare"`
}

func (b *benchReport) head() {
	if b.json {
		return
	}
	b.con.say("INVITE, 180, 200, ACK, BYE, 200 over UDP on loopback; the load is made by this process, each server is\n"+
		"another and started anew for each round. The middle round by CPU per call is shown, and the failures of all.\n\n%s\n",
		cells("calls/s", 9, "server", 15, "calls", 8, "failed", 8, "resent", 8, "p50 ms", 9, "p99 ms", 9, "CPU ms/call", 13, "x bare", 7))
}

func (b *benchReport) rate(rate int, rounds map[string][]benchRound) {
	bare := middle(rounds[serverBare])
	for _, server := range servers {
		m := middle(rounds[server])
		line := benchLine{
			Rate: rate, Server: server, P50: milliseconds(m.Quantile(0.5)), P99: milliseconds(m.Quantile(0.99)),
			PerCall: milliseconds(m.perCall()), TimesBare: float64(m.perCall()) / float64(max(1, bare.perCall())),
		}
		for _, r := range rounds[server] {
			line.Offered += r.Offered
			line.Failed += r.Failed()
			line.Resent += r.Resent
		}
		b.line(line)
	}
}

func (b *benchReport) line(l benchLine) {
	if b.json {
		b.encode(l)
		return
	}
	b.con.say("%s\n", cells(l.Rate, 9, l.Server, 15, l.Offered, 8, l.Failed, 8, l.Resent, 8,
		fmt.Sprintf("%.2f", l.P50), 9, fmt.Sprintf("%.2f", l.P99), 9, fmt.Sprintf("%.3f", l.PerCall), 13,
		fmt.Sprintf("%.2f", l.TimesBare), 7))
}

// encode writes a line of JSON.
func (b *benchReport) encode(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		b.err = fmt.Errorf("write figures: %w", err)
		return
	}
	b.con.say("%s\n", text)
}

func (b *benchReport) foot() {
	if !b.json {
		b.con.say("\nThe user agent opens RTP sockets and checks, matches and keeps a dialog; the whole hotline also speaks the\n" +
			"menu's prompt and writes a record. Wanted of the user agent: at most 2 x bare.\n")
	}
}

// middle is the round with the median of CPU per call.
func middle(rounds []benchRound) benchRound {
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b benchRound) int { return int(a.perCall() - b.perCall()) })
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
