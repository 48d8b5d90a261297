// Package site makes several nodes one hotline: a node's membership ([Member]) over what they share ([Book]), by the
// protocol of docs/cluster.md. It knows neither Redis nor SIP nor queues: those are ports.
//
// The node's desk calls [Member.Say] and [Member.Release], which do not block; whoever rings a phone calls
// [Member.Ring], on a goroutine of its own. [Member.Run] has the goroutines: one renews the lease, one follows the log,
// one writes facts, one asks other nodes about phones that are new here, one holds what is said against what is so; and
// for a while one for each agent whose claim has a deed to be written, and for each orphan that is judged here.
//
// How a node stands, as the desk is told:
//
//	state   | it is so when                                    | rings                                    | left by
//	joining | the book was entered, the whole is not read yet  | own edge's phones, by the book's claims  | the whole is read: joined; the book is silent: cut
//	joined  | the whole is known, the lease is good            | all phones, by the book's claims         | less than the margin left: fading; silent: cut; found dead: joining
//	fading  | less than the margin is left of the lease        | own edge's phones, by the book's claims  | renewed: joined; silent: cut; found dead: joining
//	cut     | the book has not answered for [Options.CutAfter] | own edge's phones, by the gate's tokens  | entered or renewed, and the whole is read: joined
//
// sole is how [Member.Status] calls a joined node beside which no other lives; to the desk it is joined, since what dead
// nodes left behind is in the book. A node that was stopped (SIGSTOP, a suspended machine) is not cut by what it did not
// hear meanwhile: its phones may have gone to other nodes, so it asks the book before it goes on alone.
//
// What becomes of a claim of this node's (a hold):
//
//	phase    | since                            | Release comes             | else
//	claiming | Ring was called                  | (the desk waits for Ring) | refused: it is gone. No answer in time: gone, and should the log tell of it, it is given back
//	ringing  | the claim was made               | (the desk waits for Ring) | failed: ended. Answered: talking
//	talking  | the phone answered               | the leg has ended by then | the leg ended: ended
//	ended    | the ring failed or the leg ended | given back                | given back after a while, for phones that no desk had rung
//	unsure   | it may yet ring or talk          | the rest is told          | abandoned at once: its phone's edge judges it, as an orphan
//
// What was abandoned is never released (forsaken). A leg at a phone of another edge is remembered beyond its hold until the phone
// has answered that it ended (parting), and goes by way of the phone's next edge when its own is dead.
//
// Locks: tell (the desk is told in order) is taken before mu (all else). The ports Edge, and of it only what does not
// block, are called with mu held; Book, Peers and Desk never are.
package site
