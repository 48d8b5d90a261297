package media

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A method by which keys cannot come any more, as was agreed anew, does not keep those of another from being told; one by
// which they still can does.
func TestKeysAfterAnotherAgreement(t *testing.T) {
	tones, events := toneless(), toneless()
	events.hasEvent, events.event = true, 101
	for _, c := range []struct {
		name   string
		before *agreement
		first  keyMethod
		after  *agreement
		by     map[keyMethod]bool // that count then
	}{
		{"tones, then events", tones, byTone, events, map[keyMethod]bool{byRTP: true, byINFO: true}},
		{"events, then tones", events, byRTP, tones, map[keyMethod]bool{byTone: true, byINFO: true}},
		{"tones again", tones, byTone, tones, map[keyMethod]bool{byTone: true}},
		{"events again", events, byRTP, events, map[keyMethod]bool{byRTP: true}},
		{"INFO, then events", tones, byINFO, events, map[keyMethod]bool{byINFO: true}},
		{"INFO, then tones", events, byINFO, tones, map[keyMethod]bool{byINFO: true}},
	} {
		agreed := byTone // beside INFO
		if c.after.hasEvent {
			agreed = byRTP
		}
		for _, by := range []keyMethod{agreed, byINFO} {
			engine := &core{teller: newTeller()}
			l, told := deskLine(engine, c.before)
			l.press('1', c.first)
			l.agree(c.after, time.Now())
			l.press('2', by)
			engine.teller.end()
			require.Equal(t, map[bool]string{true: "12", false: "1"}[c.by[by]], *told, "%s, by %d", c.name, by)
		}
	}
}
