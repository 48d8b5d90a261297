package claims

import (
	"testing"
	"time"
)

func TestTry(t *testing.T) {
	for r := noHighest; r <= noDialogMatch; r++ {
		found := ""
		for _, moves := range []uint8{0, 1, 2} {
			for _, k := range append([]kind{tick}, every...) {
				e := &env{brisk: true, without: r, faults: []kind{k}, size: size{agents: 1, callers: 2, claims: 1, budget: budget{moves: moves, faults: 1, restarts: 1}}}
				if k == tick {
					e.faults = nil
				}
				s := newSearch(e, 40000)
				begin := time.Now()
				schedule, broken := s.run()
				if broken != "" {
					found += words[k] + "; "
					t.Logf("rule %d: %s, moves %d: %d worlds, %v, %d events: %.60s", r, words[k], moves, len(s.came), time.Since(begin).Round(time.Millisecond), len(schedule), broken)
					break
				}
			}
			if found != "" {
				break
			}
		}
		if found == "" {
			t.Logf("rule %d: NOT FOUND", r)
		}
	}
}
