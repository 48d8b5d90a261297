package redisstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/store/redisstore"
)

// FuzzEntry: whatever is in an entry of the log, reading it ends, and every fact that is read is one.
func FuzzEntry(f *testing.F) {
	f.Add("f", `[{"flow":{"agent":"8001","edge":"a.1","since":"2026-03-01T09:00:00Z"}},{"rest":null}]`)
	f.Add("c", "8001\nc1\na.1\nb.1\n1\n7\n1772355600000000\n\n\n1")
	f.Add("k", "8001\nc1\na.1\nb.1\n1\n-7\nx\n\n\n")
	f.Add("n", `{"id":"a.1","lease":5000000000}`)
	f.Add("x", "a.1")
	f.Add("?", "")
	f.Fuzz(func(t *testing.T, name, text string) {
		e, unreadable := redisstore.DecodeEntry("1-1", map[string]any{"p": "0-0", name: text})
		require.EqualValues(t, "1-1", e.At)
		if len(e.Facts) == 0 && e.Node == nil && e.Cleared == nil && e.Dead == "" && name != "p" && name != "x" && name != "f" {
			require.NotZero(t, unreadable)
		}
		for _, fact := range e.Facts {
			set := 0
			for _, there := range []bool{
				fact.Flow != nil, fact.FlowGone != nil, fact.Caller != nil, fact.Gone != nil, fact.Claim != nil, fact.Rest != nil,
				fact.Shift != nil, fact.Place != nil, fact.Regular != nil,
			} {
				if there {
					set++
				}
			}
			require.Equal(t, 1, set, "%+v", fact)
		}
	})
}
