package recorder

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// panicky is a file in whose handling there is a fault.
type panicky struct {
	file
	writes, syncs int // how many succeed
}

func (f *panicky) WriteAt(b []byte, off int64) (int, error) {
	if f.writes--; f.writes < 0 {
		panic("a write with a fault")
	}
	return f.file.WriteAt(b, off)
}

func (f *panicky) Sync() error {
	if f.syncs--; f.syncs < 0 {
		panic("a sync with a fault")
	}
	return f.file.Sync()
}

// A panic costs one recording, which keeps what it has and says so; the others are written as ever.
func TestContained(t *testing.T) {
	for where, c := range map[string]struct {
		writes, syncs int
		has           int // samples left in the file
	}{
		"recorder: start": {0, 0, -1},
		"recorder: flush": {3, 9, 8000}, // the header, then a second's audio and the header anew
		"recorder: close": {99, 0, 40000},
	} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var panics []string
				var told []error
				r := start(t, Options{
					OnPanic: func(where string, _ any) { panics = append(panics, where) },
					OnError: func(_ string, err error) { told = append(told, err) },
				})
				defer func() { require.NoError(t, r.Close()) }()
				other := begin(t, r, "other", time.Now())
				r.openFile = func(name string) (file, error) {
					f, err := r.openNew(name)
					return &panicky{file: f, writes: c.writes, syncs: c.syncs}, err
				}
				began, err := r.Start("faulty", time.Now())
				r.openFile = r.openNew
				if c.has < 0 {
					require.ErrorIs(t, err, ErrFault)
					require.Nil(t, began)
				} else {
					require.NoError(t, err)
					faulty := began.(*recording)
					speak(faulty, 0, 5*time.Second)
					require.ErrorIs(t, faulty.Close(time.Now()), ErrFault)
					require.Equal(t, c.has, len(listen(t, r, faulty.Name()).left)) //nolint:testifylint // nobody reads 16,000 octets
				}
				require.Equal(t, []string{where}, panics)
				require.Len(t, told, 1)
				require.ErrorIs(t, told[0], ErrFault)
				require.Equal(t, 1, counted(r, outcomeFailed))

				speak(other, 5*time.Second, 7*time.Second)
				require.NoError(t, other.Close(time.Now()))
				require.Equal(t, samples(time.Since(other.joined)), int64(len(listen(t, r, other.Name()).left)))
			})
		})
	}
}
