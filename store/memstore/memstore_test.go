package memstore_test

import (
	"testing"
	"time"

	"hotline/store/memstore"
	"hotline/store/storetest"
)

func TestSuite(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Store { return memstore.New() })
}

func TestShiftSuite(t *testing.T) {
	storetest.RunShifts(t, func(*testing.T) storetest.ShiftStore { return memstore.New() })
}

func TestLadderSuite(t *testing.T) {
	storetest.RunLadders(t, func(_ *testing.T, keep time.Duration, clock func() time.Time) storetest.LadderStore {
		return memstore.NewWithLadders(keep, clock)
	})
}
