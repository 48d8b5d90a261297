package media_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/media"
	"hotline/media/mediatest"
)

func TestEpoll(t *testing.T) {
	mediatest.Run(t, func(t *testing.T, o media.Options) media.Engine {
		t.Helper()
		e, err := media.NewEpoll(o)
		require.NoError(t, err)
		return e
	})
}
