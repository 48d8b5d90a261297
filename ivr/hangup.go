package ivr

import "hotline/call"

// buildHangup makes a node that ends the call.
func buildHangup(name string, o MenuOptions, _ *Options) built {
	return buildSaying(name, nextField, o, call.Done)
}
