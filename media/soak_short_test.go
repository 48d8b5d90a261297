//go:build !proof

package media_test

import "time"

// soakFor is how long the engines are soaked.
const soakFor = time.Minute
