package call_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// books keeps the records of several calls.
type books struct {
	mu     sync.Mutex
	begun  map[string]int
	closed map[string]call.Record
	faults []string
	// gate holds up the owners of the calls that 8001 makes, until it is closed; nil holds up nobody.
	gate chan struct{}
}

func (k *books) Begin(r call.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.begun == nil {
		k.begun, k.closed = map[string]int{}, map[string]call.Record{}
	}
	k.begun[r.ID]++
}

func (k *books) Update(r call.Record) {
	k.mu.Lock()
	gate := k.gate
	k.mu.Unlock()
	if gate != nil && r.Trunk == "agent:8001" {
		<-gate
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, done := k.closed[r.ID]; done {
		k.faults = append(k.faults, "written after its end")
	}
}

// shut holds up the owners of the calls that 8001 makes the next time they show what they do; open lets
// them go on.
func (k *books) shut() (open func()) {
	gate := make(chan struct{})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gate = gate
	return func() { close(gate) }
}

func (k *books) Finish(_ context.Context, r call.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, done := k.closed[r.ID]; done {
		k.faults = append(k.faults, "finished twice")
	}
	k.closed[r.ID] = r
	return nil
}

func (k *books) Annotate(id, agent string, code call.WrapUpCode) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r, done := k.closed[id]; done && r.Annotate(agent, code) {
		k.closed[id] = r
	}
}

func (k *books) finished(t *testing.T, id string) call.Record {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	require.Empty(t, k.faults)
	require.Equal(t, 1, k.begun[id])
	require.Contains(t, k.closed, id)
	r := k.closed[id]
	for _, v := range r.Visits {
		require.NotNil(t, v.Left)
	}
	for _, talk := range r.Talks {
		require.NotNil(t, talk.Ended)
		require.NotEmpty(t, talk.Release)
		for _, h := range talk.Holds {
			require.NotNil(t, h.To)
		}
	}
	for _, s := range r.Supervisions {
		require.NotNil(t, s.To)
	}
	for _, x := range r.Transfers {
		require.NotNil(t, x.Ended)
		require.NotEmpty(t, x.How)
	}
	return r
}

// tapes are the recordings of several calls.
type tapes struct {
	mu   sync.Mutex
	made map[string]*recorder
}

func (k *tapes) Start(id string, joined time.Time) (call.Recording, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.made == nil {
		k.made = map[string]*recorder{}
	}
	if k.made[id] == nil {
		k.made[id] = &recorder{}
	}
	return k.made[id].Start(id, joined)
}

func (k *tapes) tell(s *stage, id string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r := k.made[id]; r != nil {
		return r.tell(s)
	}
	return "nothing"
}
