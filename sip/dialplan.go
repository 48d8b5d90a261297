package sip

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// DialRule allows numbers outside to be called: those that begin with Prefix, through a trunk or one of several. Of several
// rules the one with the longest prefix is the number's, and its bounds are the number's bounds.
type DialRule struct {
	// Prefix of the numbers: a + or none, then digits. One that begins with neither + nor 00 allows no number that does: "0" is
	// the country's other areas, and not the world.
	Prefix string
	// Digits is how many digits a number has, the prefix' among them and a + not. Where Most is 0 it is 1 to 15, which no
	// number of E.164 exceeds (ITU-T E.164 section 6), two more where the prefix begins with 00, and 1 to 11 where it begins with
	// 1, as mobile numbers and services do: more is what leads on from a carrier's access code, such as 17909, to anywhere.
	// Whatever it is, an access code and then 00 is allowed only to a prefix that has both.
	Digits DigitRange
	// Trunk is the name of one of Options.Trunks, which must have Out. It is not looked at where there is Through.
	Trunk string
	// Through are several, in groups: those of a group share the calls by their weights, and the next group has what the
	// trunks of those before did not take.
	Through [][]TrunkShare
	// PerMinute is how many calls may begin, all at once if need be, and how many more with each minute: a token bucket.
	// At least 1.
	PerMinute int
	// AtOnce is how many may be under way, ringing included. At least 1.
	AtOnce int
	// Hours are when; the zero value is always.
	Hours Hours
	// Longest is how long a call may last, from its answer; then we hang up. 0: no bound.
	Longest time.Duration
}

// DigitRange is from how many to how many; both are 0, or 1 or more.
type DigitRange struct{ Least, Most int }

// Hours are a part of each day.
type Hours struct {
	// From and To count from midnight by the clock; To may be before From, which spans midnight.
	From, To time.Duration
	// Location is whose midnight; nil is UTC.
	Location *time.Location
}

// has reports whether an instant is within the hours.
func (h Hours) has(at time.Time) bool {
	if h.From == h.To {
		return true
	}
	if h.Location != nil {
		at = at.In(h.Location)
	}
	clock := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
	if h.From < h.To {
		return h.From <= clock && clock < h.To
	}
	return clock >= h.From || clock < h.To
}

// dialPlan is Options.Dial, checked. It may be used from any goroutine.
type dialPlan struct {
	rules []*dialRule // the longest prefix first
}

// dialRule is a rule and what has been called by it.
type dialRule struct {
	DialRule
	ways [][]share
	*dialUse
}

// dialUse is what has been called by the rule of a prefix: also before a reload, which is no way to call more, nor are two that
// take the rule away and put it back.
type dialUse struct {
	began time.Time

	mu       sync.Mutex
	rate     bucket
	underWay int
}

// newDialPlan checks the rules against the trunks.
func newDialPlan(rules []DialRule, t *trunks) (*dialPlan, error) {
	p := &dialPlan{}
	for _, r := range rules {
		ways, err := r.groups(t)
		if err != nil {
			return nil, err
		}
		if !number(r.Prefix) || r.PerMinute < 1 || r.AtOnce < 1 {
			return nil, fmt.Errorf("dial %q: a prefix and bounds must be there", r.Prefix)
		}
		if r.Digits == (DigitRange{}) {
			r.Digits = digitsOf(r.Prefix)
		}
		if r.Digits.Least < 1 || r.Digits.Most < r.Digits.Least {
			return nil, fmt.Errorf("dial %q: %d to %d digits", r.Prefix, r.Digits.Least, r.Digits.Most)
		}
		p.rules = append(p.rules, &dialRule{DialRule: r, ways: ways, dialUse: &dialUse{began: time.Now()}})
	}
	slices.SortStableFunc(p.rules, func(a, b *dialRule) int { return cmp.Compare(len(b.Prefix), len(a.Prefix)) })
	return p, nil
}

// find returns the rule of a number, nil when none allows it: the one with the longest prefix decides. Letters, * and # are
// never allowed: they reach the carrier's features, not people.
func (p *dialPlan) find(n string) *dialRule {
	if !number(n) || wayward(n) {
		return nil
	}
	for _, r := range p.rules {
		switch digits := len(strings.TrimPrefix(n, "+")); {
		case !strings.HasPrefix(n, r.Prefix), abroad(n) && !abroad(r.Prefix), viaCode(n) && !codeAbroad.MatchString(r.Prefix):
		case r.Digits.Least <= digits && digits <= r.Digits.Most:
			return r
		default:
			return nil
		}
	}
	return nil
}

// internationalPrefix is dialled before a country code, in China and in most of the world (ITU-T E.164 section 7.3).
const internationalPrefix = "00"

const (
	// mostDigits are those of a number of E.164, its country code included.
	mostDigits = 15
	// mostAtHome are those of the longest number of China's plan that begins with 1, a mobile one.
	mostAtHome = 11
)

// digitsOf is how many digits the numbers with a prefix have, where the rule does not say.
func digitsOf(prefix string) DigitRange {
	most := mostDigits
	switch {
	case strings.HasPrefix(prefix, internationalPrefix):
		most += len(internationalPrefix)
	case strings.HasPrefix(prefix, "1"):
		most = mostAtHome
	}
	return DigitRange{Least: 1, Most: max(most, len(strings.TrimPrefix(prefix, "+")))}
}

// codeAbroad is how a number at home begins that goes on abroad: with a carrier's access code (17909, 12593, 193: in China they
// begin with 1), before which some write a 0, and then 00.
var codeAbroad = regexp.MustCompile(`^0?1\d{2,}00`)

// shortestAbroad is how many digits a number abroad has at least, its country code among them: Niue's have seven. So what is
// longer than codeAbroad by that has more than mostAtHome, and is no mobile number such as 19300123456.
const shortestAbroad = 7

// viaCode reports whether a number at home has an access code and then a number abroad.
func viaCode(n string) bool {
	return len(n) >= shortestAbroad && codeAbroad.MatchString(n[:len(n)-shortestAbroad])
}

// abroad reports whether a number, or a prefix, has a country code.
func abroad(n string) bool {
	return strings.HasPrefix(n, "+") || strings.HasPrefix(n, internationalPrefix)
}

// wayward reports whether a number says that it is in the country and goes on abroad, at once or by an access code: a carrier
// that takes our own country code off dials what is left.
func wayward(n string) bool {
	if !abroad(n) {
		return false
	}
	n = strings.TrimPrefix(strings.TrimPrefix(n, "+"), internationalPrefix)
	n, ours := strings.CutPrefix(n, countryCode)
	return ours && (strings.HasPrefix(n, internationalPrefix) || viaCode(n))
}

// number reports whether s is a + or none, then digits.
func number(s string) bool {
	s = strings.TrimPrefix(s, "+")
	return s != "" && len(s) < maxNumber && strings.Trim(s, "0123456789") == ""
}

// take takes one of the rule's calls, until free is called, once; or it returns which bound is reached.
func (r *dialRule) take(at time.Time) (free func(), refused string) {
	if !r.Hours.has(at) {
		return nil, dialHours
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.underWay >= r.AtOnce {
		return nil, dialAtOnce
	}
	if !r.rate.takeEvery(at.Sub(r.began), time.Minute/time.Duration(r.PerMinute), r.PerMinute) {
		return nil, dialRate
	}
	r.underWay++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.underWay--
	}, ""
}
