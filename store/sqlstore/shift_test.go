package sqlstore

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/storetest"
)

func TestShiftSuite(t *testing.T) {
	storetest.RunShifts(t, func(t *testing.T) storetest.ShiftStore {
		t.Helper()
		return open(t, Options{})
	})
}

// A pause outlives the process; a record that cannot be read does not hold up what comes after a code for it.
func TestShiftsOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	require.NoError(t, s.Finish(t.Context(), storetest.Full("a")))
	_, err = s.write.ExecContext(t.Context(), `UPDATE calls SET record = '{' WHERE id = 'a'`)
	require.NoError(t, err)
	s.Annotate("a", "8002", call.WrapUpCode{Code: "1"})
	s.SaveShift(call.Shift{Agent: "8001", Paused: true, Reason: "1"})
	require.NoError(t, s.Close())
	s.SaveShift(call.Shift{Agent: "8001"}) // too late: it is logged
	s.Annotate("a", "8002", call.WrapUpCode{Code: "1"})

	shifts, err := open(t, Options{Path: path}).Shifts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []call.Shift{{Agent: "8001", Paused: true, Reason: "1"}}, shifts)
}
