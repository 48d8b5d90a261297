package media_test

import (
	"testing"

	"hotline/media"
)

func TestEpoll(t *testing.T) { suite(t, media.NewEpoll) }
