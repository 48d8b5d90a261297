package flood

import (
	"testing"

	"hotline/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
