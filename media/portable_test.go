package media_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"hotline/media"
	"hotline/media/mediatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPortable(t *testing.T) {
	mediatest.Run(t, func(t *testing.T, o media.Options) media.Engine {
		t.Helper()
		e, err := media.NewPortable(o)
		require.NoError(t, err)
		return e
	})
}
