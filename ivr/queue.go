package ivr

import "hotline/call"

// buildQueue makes a node that leads to a queue.
func buildQueue(name string, o MenuOptions, _ *Options) built {
	return buildSaying(name, "queue", o, call.Wait)
}
