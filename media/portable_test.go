package media_test

import (
	"testing"

	"hotline/media"
)

func TestPortable(t *testing.T) { suite(t, media.NewPortable) }
