// Package acd owns the queues and the agents of one node, or of a site as one node sees it: who waits, who is free, whose phone is
// rung for whom, and for how long (automatic call distribution). It implements [call.Desk] and
// [call.Seat], acts on agents' feature codes ([call.Shifts]), and makes [call.QueueView] and [call.AgentView].
//
// Package cmd/hotline makes one [Center]; a call's wait stage joins it, the registrar tells it which
// flows are up, package web asks it for views. It rings phones through [Phones].
//
// Goroutines: the one in [Center.Run] owns the desk, that is every queue, agent, offer and deadline.
// All others put messages into its inbox, which never blocks them, and it never waits for any of
// them. Each phone that is rung has a goroutine of its own for as long as [Phones.Ring] lasts; it
// touches nothing of the desk and posts what it learned. Only a seat is shared, between the desk and
// the caller's owner, under the seat's own lock; seat.go says how the two agree on who was first.
//
// What an agent is doing is derived from facts (a flow, live legs, an open offer, deadlines, the shift that the
// agent chose: logins and a pause) each time one of them changes; there is no flag that can be left behind. A delay after an offer
// that failed is shown as wrap-up: for both, a deadline says when the next call may be offered.
//
// Order: an agent takes the first of all callers waiting in the queues it serves, if they may have it
// yet: rank.go has the one order of all callers, circle.go whom a caller may have after which wait. A
// caller takes the agent with the highest level of the queue's skill, then by the key of the queue's
// strategy, then by id. The strategy proposes and the claims dispose (claim.go), and each decision says
// why it was taken (explain.go). Who calls again, in a queue that wants that, waits for the agent of last time
// first (regulars.go).
//
// Where several nodes are one hotline, [Center.Learn] has the desk know the callers, phones and claims of the others, and
// [Site] tells them of its own: site_desk.go has the states of a node, site_claim.go those of an agent and another node's
// caller.
//
// How many phones ring for one caller is the strategy's plan (plan.go), by the time since the caller's promise
// clock began: when the last ring promised begins and nobody has answered, a second phone joins in (rescue.go), and
// the first answer wins. Callers who want another phone are matched as those who want their first, in one order.
package acd
