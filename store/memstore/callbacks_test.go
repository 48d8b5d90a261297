package memstore_test

import (
	"testing"

	"hotline/call"
	"hotline/store/memstore"
	"hotline/store/storetest"
)

func TestBookingSuite(t *testing.T) {
	storetest.RunBookings(t, func(*testing.T) call.Bookings { return memstore.New() })
}
