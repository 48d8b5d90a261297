package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// slowDisk is a recorder that takes so long to begin that the caller has hung up by then.
type slowDisk struct{ *stage }

func (d slowDisk) Start(id string, joined time.Time) (call.Recording, error) {
	d.caller.End(call.Far, call.CauseBye)
	return d.rec.Start(id, joined)
}

// A caller who hangs up while the recording is begun is joined with nobody: the record names no file, and so none is
// left behind.
func TestRecordingOfNobodyJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.x.Recorder = slowDisk{s}
		s.play("0s dial queue repair\n1s answer 8001")
		require.Len(t, s.records.last, 1)
		r := s.records.last[0]
		require.Empty(t, r.Recording)
		require.Equal(t, "not joined", r.Unrecorded)
		require.Equal(t, 1, s.rec.starts)
		require.Equal(t, 1, s.rec.discards, "nobody would ever find it")
	})
}
