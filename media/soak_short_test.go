//go:build !proof

package media_test

import "time"

// soakFor is how long each engine is soaked.
const soakFor = 8 * time.Second
