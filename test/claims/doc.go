// Package claims goes through every schedule of a small site: two nodes, two callers, one or two agents whose phones move
// between the nodes, and faults. It holds the protocol of docs/cluster.md against its rules as the phones see them. The book
// (store/memstore) and the gate (call.Gate) are the real ones; what a node decides by them is written down here a second time,
// as small as it can be, so that a rule can be taken out: each must be missed.
//
// A world is everything at one instant: the book, what each node knows, what each phone does, and what is under way. What
// happens next is chosen in every possible way; worlds that are alike but for when they are count once. The nearest worlds are
// looked at first, so what is printed of a rule that breaks is the shortest schedule. A second goes by only when nothing is
// left that happens by itself at a node that runs, so what is late is late by a fault: a node that is stopped, a message.
//
//	of                | stages
//	a caller's offer  | waits → claiming (the grant is under way) → offered → waits, or gone
//	an INVITE         | flying → arrived | late | dropped; to the edge, and from it to the phone
//	a leg, three ways | nothing → refused, or trying → ringing → talking → over: at the phone, at its edge, at its owner
//	the owner's word  | none → release (sure) or abandon (not) → told, once the book has it
//	a node            | outside → joining (it has a lease) → joined (it has acted on what it read) ⇄ cut (no answer)
//	a gate            | see call.Gate
//	a claim           | none → claimed → none, or orphan → none
//
// The rules:
//
//   - No two live offers or legs at one phone, ever. A talk does not count while nobody is there to hear or end it: its owner
//     and its edge are dead or stopped. Its end by the owner, once that has looked again, is asked for below.
//   - Once faults stop and callers hang up every phone comes free: no leg is left, the agent has no claim, and an offer of each
//     living node would be let through to it. So after each second of each schedule, in three ways: all is mended; who is
//     stopped is killed; the book stays away.
//   - No edge ends a talk whose owner lives and holds it, and no owner one whose agent can be nobody else's.
//   - The book's tokens and a gate's highest token only rise.
//   - No phone is rung by a claim that is no more (looked at where the book loses nothing).
//
// Not in it: three nodes or more (so that the deadline counts from the claim's request is shown by reasoning alone), clocks that
// differ, the log (nodes read the whole book each second, and act on it later), draining, and a phone that can be
// reached by one of its edges and not by the other.
package claims
