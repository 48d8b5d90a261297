package redisstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hotline/call"
	"hotline/site"
)

// What scripts must take apart is written as fields with a line's end between them, which is why there is none in a field:
// scripts know no 64-bit integers, and have no need to know the facts.
var (
	escaper   = strings.NewReplacer("\\", "\\\\", "\n", "\\n")
	unescaper = strings.NewReplacer("\\\\", "\\", "\\n", "\n")
)

func esc(s string) string                   { return escaper.Replace(s) }
func pack(fields ...string) string          { return strings.Join(fields, "\n") }
func numberKey(queue, number string) string { return pack(esc(queue), esc(number)) }
func decimal(n uint64) string               { return strconv.FormatUint(n, 10) }

// micros is an instant in microseconds; instant the same, empty for the zero one.
func micros(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return micros(t)
}

// reader takes packed fields apart, and keeps the first error.
type reader struct {
	fields []string
	err    error
}

func read(packed string, n int) *reader {
	r := &reader{fields: strings.Split(packed, "\n")}
	if len(r.fields) != n {
		r.err = fmt.Errorf("%d fields, not %d", len(r.fields), n)
	}
	return r
}

func (r *reader) text() string {
	if r.err != nil || len(r.fields) == 0 {
		return ""
	}
	f := r.fields[0]
	r.fields = r.fields[1:]
	return unescaper.Replace(f)
}

func (r *reader) number() uint64 {
	text := r.text()
	n, err := strconv.ParseUint(text, 10, 63)
	if r.err == nil {
		r.err = err
	}
	return n
}

func (r *reader) token() call.Token { return call.Token{Epoch: r.number(), N: r.number()} }

func (r *reader) instant() time.Time {
	text := r.text()
	if text == "" {
		return time.Time{}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if r.err == nil {
		r.err = err
	}
	return time.UnixMicro(n).UTC()
}

const claimFields, restFields = 10, 13

// orphaned marks an orphan; any other claim has nothing there.
const orphaned = "1"

func packClaim(c call.SiteClaim) string {
	orphan := ""
	if c.Orphan {
		orphan = orphaned
	}
	return pack(esc(c.Agent), esc(c.Call), string(c.Owner), esc(string(c.Edge)), decimal(c.Token.Epoch), decimal(c.Token.N),
		instant(c.Since), instant(c.Rung), instant(c.Answered), orphan)
}

func unpackClaim(packed string) (call.SiteClaim, error) {
	r := read(packed, claimFields)
	c := call.SiteClaim{
		Agent: r.text(), Call: r.text(), Owner: call.NodeID(r.text()), Edge: call.NodeID(r.text()), Token: r.token(),
		Since: r.instant(), Rung: r.instant(), Answered: r.instant(), Orphan: r.text() == orphaned,
	}
	return c, r.err
}

func packRest(r call.SiteRest) string {
	return pack(esc(r.Agent), decimal(r.Token.Epoch), decimal(r.Token.N), esc(r.How), esc(r.Queue),
		strconv.FormatInt(int64(r.Talked), 10), instant(r.WrapUntil), instant(r.RestUntil), instant(r.AlarmRest),
		instant(r.Idle), strconv.Itoa(r.Missed), esc(string(r.By)), esc(r.Call))
}

func unpackRest(packed string) (call.SiteRest, error) {
	r := read(packed, restFields)
	rest := call.SiteRest{
		Agent: r.text(), Token: r.token(), How: r.text(), Queue: r.text(), Talked: time.Duration(r.number()),
		WrapUntil: r.instant(), RestUntil: r.instant(), AlarmRest: r.instant(), Idle: r.instant(), Missed: int(r.number()),
		By: call.NodeID(r.text()), Call: r.text(),
	}
	return rest, r.err
}

// packFact is what the script "say" takes for one fact: kind, field, two arguments of the kind's, and the fact.
func packFact(f call.SiteFact) ([]any, error) {
	var kind, field, a, b string
	var fact any
	switch {
	case f.Flow != nil:
		kind, field, a, fact = "flow", esc(f.Flow.Agent), micros(f.Flow.Since), f.Flow
	case f.FlowGone != nil:
		kind, field, fact = "flowgone", esc(f.FlowGone.Agent), f.FlowGone
	case f.Caller != nil:
		kind, field, fact = "caller", esc(f.Caller.Call), f.Caller
	case f.Gone != nil:
		kind, field, fact = "gone", esc(f.Gone.Call), f.Gone
	case f.Rest != nil:
		kind, field, a, fact = "rest", esc(f.Rest.Agent), packRest(*f.Rest), f.Rest
	case f.Shift != nil:
		kind, field, fact = "shift", esc(f.Shift.Agent), f.Shift
	case f.Place != nil:
		kind, field, fact = "place", numberKey(f.Place.Queue, f.Place.Number), f.Place
		a, b = micros(f.Place.Until), micros(f.Place.Left)
		if f.Place.Taken {
			kind = "taken"
		}
	case f.Regular != nil:
		kind, field, fact = "regular", numberKey(f.Regular.Queue, f.Regular.Number), f.Regular
		a = micros(f.Regular.At)
	default:
		return nil, errors.New("a fact of no known kind")
	}
	text, err := json.Marshal(fact)
	if err != nil {
		return nil, fmt.Errorf("encode a fact (%s): %w", kind, err)
	}
	return []any{kind, field, a, b, text}, nil
}

// decodeFact reads one fact as the log has it. Errors: it is of a kind that this version does not know, too.
func decodeFact(text []byte) (call.SiteFact, error) {
	var f call.SiteFact
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("decode a fact: %w", err)
	}
	if f == (call.SiteFact{}) {
		return f, errors.New("decode a fact: of no known kind")
	}
	return f, nil
}

// decodeFacts adds a list of facts to others. bad counts those that were not read.
func decodeFacts(to []call.SiteFact, text string) (facts []call.SiteFact, bad int, err error) {
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return to, 0, fmt.Errorf("decode a list of facts: %w", err)
	}
	for _, one := range list {
		f, err := decodeFact(one)
		if err != nil {
			bad++
			continue
		}
		to = append(to, f)
	}
	return to, bad, nil
}

// decodeEntry reads an entry of the log. unreadable counts what of it was not read; the rest of it holds all the same.
func decodeEntry(id string, values map[string]any) (e site.Entry, unreadable int) {
	e.At = site.Place(id)
	for name, value := range values {
		text, _ := value.(string)
		var err error
		switch name {
		case "p": // the entry before it
		case "x":
			e.Dead = call.NodeID(text)
		case "n":
			e.Node = new(site.Node)
			if err = json.Unmarshal([]byte(text), e.Node); err != nil {
				e.Node = nil
			}
		case "c":
			var c call.SiteClaim
			if c, err = unpackClaim(text); err == nil {
				e.Facts = append(e.Facts, call.SiteFact{Claim: &c})
			}
		case "k":
			var c call.SiteClaim
			if c, err = unpackClaim(text); err == nil {
				e.Cleared = &c
			}
		case "f":
			var bad int
			e.Facts, bad, err = decodeFacts(e.Facts, text)
			unreadable += bad
		default:
			err = errors.New("a field of no known kind")
		}
		if err != nil {
			unreadable++
		}
	}
	return e, unreadable
}
