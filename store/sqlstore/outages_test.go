package sqlstore

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/storetest"
)

func TestOutageSuite(t *testing.T) {
	storetest.RunOutages(t, func(t *testing.T) call.Outages {
		t.Helper()
		return open(t, Options{})
	})
}

// What was put is there after a restart.
func TestOutagesOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	require.NoError(t, s.PutOutage(t.Context(), storetest.Planned("a", storetest.Day)))
	require.NoError(t, s.Close())
	s, err = Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	list, err := s.Outages(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Outages(cancelled)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.PutOutage(cancelled, storetest.Planned("b", storetest.Day)), context.Canceled)
	require.ErrorIs(t, s.DeleteOutage(cancelled, "a"), context.Canceled)
}
