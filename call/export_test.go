package call

// Owners is how many legs the exchange thinks are somebody's.
func Owners(x *Exchange) int {
	x.legMu.Lock()
	defer x.legMu.Unlock()
	return len(x.legs)
}
