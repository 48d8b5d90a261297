package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"

	"hotline/call"
)

// The ladder's measures, in columns of a terminal. It is drawn in ASCII: how wide a terminal shows lines and
// arrows of Unicode depends on its language, and in a Chinese one they take two columns.
const (
	timeWidth   = 11 // of the seconds, and the space behind them
	firstColumn = 17 // where the first party's line stands, so that a masked number fits above it
	lastMargin  = 6  // right of the last party's line
	leastGap    = 14 // between two lines; where less is left, the ladder is a list
	mostGap     = 30
)

// againMark stands behind the seconds of a message that was there before: sent again, since an answer was late
// or lost (RFC 3261 section 17).
const againMark = "*"

// party is who a ladder has a line for; the zero value is the hotline.
type party struct {
	name  string
	agent bool
}

// hotlineName stands above the hotline's own line.
const hotlineName = "hotline"

func (p party) String() string { return cmp.Or(printable(p.name), hotlineName) }

// ladder is what drawLadder draws.
type ladder struct {
	messages []call.SIPMessage
	parties  []party // from left to right
	at       map[party]int
	begin    time.Time
}

// drawLadder draws messages, which are in order, as lines no wider than width: a line for each party, an
// arrow for each message, seconds since the first. Where the parties do not fit side by side it is a list.
// Heads below the arrows are as wide as they are.
func drawLadder(messages []call.SIPMessage, width int, heads bool) []string {
	if len(messages) == 0 {
		return nil
	}
	l := ladder{messages: messages, parties: partiesOf(messages), at: make(map[party]int), begin: messages[0].At}
	gap := min((width-firstColumn-lastMargin)/(len(l.parties)-1), mostGap)
	for i, p := range l.parties {
		l.at[p] = firstColumn + i*gap
	}
	line := l.rung
	var out []string
	if gap < leastGap {
		line = l.item
	} else {
		out = append(out, l.header(gap))
	}
	seen := make(map[call.SIPMessage]bool)
	repeated := false
	for _, m := range messages {
		same := call.SIPMessage{Party: m.Party, Agent: m.Agent, Received: m.Received, Head: m.Head}
		mark := " "
		if seen[same] {
			mark, repeated = againMark, true
		}
		seen[same] = true
		if m.Omitted > 0 {
			out = append(out, fmt.Sprintf("%*s(%d more messages with %s were not kept)", timeWidth, "", m.Omitted, partyOf(m)))
			continue
		}
		out = append(out, fmt.Sprintf("%*.3f%s", timeWidth-2, m.At.Sub(l.begin).Seconds(), mark)+line(m, labelOf(m)))
		if heads {
			out = append(out, headOf(m)...)
		}
	}
	if repeated {
		out = append(out, "", againMark+" the same message again")
	}
	return out
}

func partyOf(m call.SIPMessage) party { return party{name: cmp.Or(m.Party, "?"), agent: m.Agent} }

// partiesOf puts who called us left of the hotline, and whom we called right of it.
func partiesOf(messages []call.SIPMessage) []party {
	var left, right []party
	known := make(map[party]bool)
	for _, m := range messages {
		p := partyOf(m)
		if known[p] {
			continue
		}
		known[p] = true
		if m.Received {
			left = append(left, p)
		} else {
			right = append(right, p)
		}
	}
	return append(append(left, party{}), right...)
}

// header names the parties, each above the middle of its line.
func (l *ladder) header(gap int) string {
	var b strings.Builder
	for _, p := range l.parties {
		name := runewidth.Truncate(p.String(), gap-1, "…")
		pad(&b, l.at[p]-runewidth.StringWidth(name)/2)
		b.WriteString(name)
	}
	return b.String()
}

// pad fills up to a column.
func pad(b *strings.Builder, column int) {
	for n := runewidth.StringWidth(b.String()); n < column; n++ {
		b.WriteByte(' ')
	}
}

// rung is one message as an arrow between two of the lines.
func (l *ladder) rung(m call.SIPMessage, label string) string {
	from, to := l.at[party{}], l.at[partyOf(m)]
	left, right := min(from, to), max(from, to)
	rightward := (to > from) != m.Received
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", timeWidth-1)) // where the seconds go
	for _, p := range l.parties {
		column := l.at[p]
		if column > left && column <= right {
			if column == right {
				b.WriteByte('|')
			}
			continue // the arrow passes over it
		}
		pad(&b, column)
		b.WriteByte('|')
		if column == left {
			b.WriteString(arrow(label, right-left-1, rightward))
		}
	}
	return b.String()[timeWidth-1:]
}

// arrow is a label on an arrow of that width.
func arrow(label string, width int, rightward bool) string {
	const head, air = 1, 4 // air: a dash and a space on each side
	if runewidth.StringWidth(label) <= width-head-air {
		label = " " + label + " "
	}
	label = runewidth.Truncate(label, width-head, "…")
	free := width - head - runewidth.StringWidth(label)
	before := strings.Repeat("-", free/2)
	after := strings.Repeat("-", free-free/2)
	if rightward {
		return before + label + after + ">"
	}
	return "<" + before + label + after
}

// item is one message as a line of a list.
func (*ladder) item(m call.SIPMessage, label string) string {
	from, to := party{}, partyOf(m)
	if m.Received {
		from, to = to, from
	}
	return fmt.Sprintf(" %s -> %s  %s", from, to, label)
}

// labelOf says what a message is: its method or status, what a status is for unless it is an INVITE, and whether
// there is an SDP.
func labelOf(m call.SIPMessage) string {
	start, rest, _ := strings.Cut(m.Head, "\r\n")
	label, _, _ := strings.Cut(start, " ")
	if strings.HasPrefix(start, "SIP/") {
		_, label, _ = strings.Cut(start, " ")
		if method := methodOf(rest); method != "INVITE" && method != "" {
			label += " (" + method + ")"
		}
	}
	if strings.HasPrefix(m.Body, "application/sdp") {
		label += " sdp"
	}
	return printable(label)
}

// methodOf is the method in a head's CSeq.
func methodOf(headers string) string {
	for line := range strings.SplitSeq(headers, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(name), "cseq") {
			if f := strings.Fields(value); len(f) > 1 {
				return f[1]
			}
		}
	}
	return ""
}

// headOf is a message below its arrow.
func headOf(m call.SIPMessage) []string {
	const indent = "    "
	from, to := addressOf(m.Local), addressOf(m.Remote)
	if m.Received {
		from, to = to, from
	}
	out := []string{indent + fmt.Sprintf("%s %s -> %s", m.Transport, from, to)}
	for line := range strings.SplitSeq(m.Head, "\r\n") {
		out = append(out, indent+indent+printable(line))
	}
	if m.Body != "" {
		out = append(out, "", indent+indent+"("+printable(m.Body)+")")
	}
	return append(out, "")
}

// addressOf is an address, or that it is not known.
func addressOf(a netip.AddrPort) string {
	if !a.IsValid() {
		return "?"
	}
	return a.String()
}

// printable keeps what a peer wrote from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
