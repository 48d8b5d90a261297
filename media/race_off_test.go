//go:build !race

package media

// poolDrops: see race_on_test.go.
const poolDrops = 0
