package memstore_test

import (
	"testing"

	"hotline/call"
	"hotline/store/memstore"
	"hotline/store/storetest"
)

func TestOutageSuite(t *testing.T) {
	storetest.RunOutages(t, func(*testing.T) call.Outages { return memstore.New() })
}
