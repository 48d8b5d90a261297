// Package notify owns webhooks: what can still be acted on (call.Event) is sent to programs of the operator's, by
// signed HTTP requests, in order, again and again until it was taken, over restarts too. docs/webhooks.md is what
// a receiver has to know.
//
// Package cmd/hotline makes the one [Hub], hands it every event by [Hub.Tell], runs it, and changes its hooks by
// [Hub.Reload].
//
// Goroutines: Tell may be called from any, and never waits: neither for a network nor for a disk. Run starts four
// for each webhook (two lanes that send, one keeper that writes the spool, one that waits for them), as does a reload
// for one that is new; Run waits for them all, and a reload for those of a webhook that is gone. A lane's queue and a
// spool's lines are guarded by a mutex each, which is never held while anything is sent or written.
package notify
