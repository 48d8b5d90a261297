package memstore_test

import (
	"testing"

	"hotline/store/memstore"
	"hotline/store/storetest"
)

func TestSuite(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Store { return memstore.New() })
}
