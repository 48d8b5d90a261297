package claims

import (
	"testing"
	"time"
)

var every = []kind{
	crash, sleep, cutBook, cutPeers, loseInvite, loseForward, delayInvite, doubleInvite, loseGrant, lateQuery, bookGone, bookEmpty, bookForgets,
}

func TestFirst(t *testing.T) {
	for _, k := range every {
		t.Run(words[k], func(t *testing.T) {
			e := &env{brisk: true, faults: []kind{k}, size: size{agents: 1, callers: 2, claims: 1, budget: budget{moves: 1, faults: 1, restarts: 1}}}
			s := newSearch(e, 1000000)
			begin := time.Now()
			schedule, broken := s.run()
			t.Logf("%d worlds, %v, full %t", len(s.came), time.Since(begin), s.full)
			if broken != "" {
				t.Fatal("\n" + e.tell(schedule, broken))
			}
		})
	}
}
