package recorder

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// What is discarded is gone, whether it still runs or was closed, and nobody else's recording is.
func TestDiscard(t *testing.T) {
	joined := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, closed := range map[string]bool{"running": false, "closed": true} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Options{Location: time.UTC})
			other := begin(t, r, "call-message", joined)
			require.NoError(t, other.Close(joined.Add(20*ms)))
			c := begin(t, r, "call-message", joined)
			require.Equal(t, "2026/03/01/call-message_2.wav", c.Name())
			c.Frame(say(caller, joined, 1, 1, 0, 'a', 160))
			if closed {
				require.NoError(t, c.Close(joined.Add(20*ms)))
			}
			require.NoError(t, c.Discard())
			_, err := os.Stat(filepath.Join(r.root.Name(), c.Name()))
			require.ErrorIs(t, err, fs.ErrNotExist)
			_, err = c.Said()
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.Equal(t, "_160", runs(listen(t, r, other.Name()).left), "another's")
			require.NoError(t, c.Discard(), "again")
			require.NoError(t, c.Close(joined.Add(20*ms)), "and closed")
			require.Equal(t, 1, counted(r, outcomeDiscarded))
			require.Equal(t, map[bool]int{false: 1, true: 2}[closed], counted(r, outcomeOK))
			require.Empty(t, r.running())
		})
	}
}

// A recording whose file could not be made has nothing to take away: the name is another's.
func TestDiscardWithoutAFile(t *testing.T) {
	r := start(t, Options{})
	c := begin(t, r, "call", time.Now())
	taken := begin(t, r, "other", time.Now())
	c.disk.Lock()
	c.exists = false
	c.disk.Unlock()
	c.mu.Lock()
	c.name = taken.Name()
	c.mu.Unlock()
	require.NoError(t, c.Discard())
	require.NoError(t, taken.Close(time.Now()))
	_, err := os.Stat(filepath.Join(r.root.Name(), taken.Name()))
	require.NoError(t, err)
}

// A disk that does not let a file go leaves it as a recording.
func TestDiscardRefused(t *testing.T) {
	r := start(t, Options{})
	c := begin(t, r, "call", time.Now())
	require.NoError(t, c.Close(time.Now()))
	require.NoError(t, r.Close())
	err := c.Discard()
	require.Error(t, err)
	require.NotErrorIs(t, err, fs.ErrNotExist)
	require.Zero(t, counted(r, outcomeDiscarded))
}

// What was said is side A alone, in order.
func TestSaid(t *testing.T) {
	r := start(t, Options{})
	joined := time.Now()
	c := begin(t, r, "call", joined)
	c.Frame(say(caller, joined, 1, 1, 0, 'a', 160))
	c.Frame(say(media.SideB, joined, 2, 1, 0, 'b', 160))
	c.Frame(say(caller, joined.Add(20*ms), 1, 2, 160, 'c', 160))
	require.NoError(t, c.Close(joined.Add(60*ms)))
	said, err := c.Said()
	require.NoError(t, err)
	require.Equal(t, "a160 c160 _160", runs(said.ALaw))
	require.Equal(t, c.Name(), said.Name)
	require.False(t, said.Loop)
}
