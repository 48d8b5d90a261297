package media_test

import (
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
	"hotline/media/mediatest"
)

// TestSoak: calls come and go for a while, and at the end there are as many descriptors, and not more memory, than after
// the first of them; that there are no more goroutines is seen by TestMain.
func TestSoak(t *testing.T) {
	for name, newEngine := range engines {
		t.Run(name, func(t *testing.T) {
			phone := mediatest.NewPhone(t, media.PCMA)
			o := media.Options{Address: netip.MustParseAddr("127.0.0.1"), Ports: media.PortRange{Lo: 9000, Hi: 9399}}
			round := func() {
				e, err := newEngine(o)
				require.NoError(t, err)
				mediatest.Churn(t, e, phone.Describe(), 20, 10)
				require.NoError(t, e.Close())
			}
			round()
			descriptors, memory := held(t)
			for began := time.Now(); time.Since(began) < soakFor; {
				round()
			}
			now, grown := held(t)
			require.Equal(t, descriptors, now, "descriptors")
			require.Less(t, grown, memory+1<<20, "octets of heap: a line is about ten thousand")
		})
	}
}

// held is how many descriptors are open, and how many octets are in use on the heap.
func held(t *testing.T) (descriptors int, memory uint64) {
	t.Helper()
	list, err := os.ReadDir("/dev/fd")
	require.NoError(t, err)
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return len(list), m.HeapAlloc
}
