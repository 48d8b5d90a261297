package media_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"hotline/media"
	"hotline/media/mediatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engines are all there are; TestEpoll is in a file of Linux, and elsewhere New is the portable one.
var engines = map[string]func(media.Options) (media.Engine, error){"portable": media.NewPortable, "best": media.New}

func suite(t *testing.T, newEngine func(media.Options) (media.Engine, error)) {
	t.Helper()
	mediatest.Run(t, func(t *testing.T, o media.Options) media.Engine {
		t.Helper()
		e, err := newEngine(o)
		require.NoError(t, err)
		return e
	})
}
