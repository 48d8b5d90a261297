package acd

// RingAll rings every agent who is ready at once; who becomes ready while it rings joins in. The
// first answer wins.
const RingAll = "ring-all"

var ringAll = strategy{
	before: func(_, _ facts) bool { return false },
	key:    func(facts) string { return "rings with all" },
	fanOut: everyone,
}
