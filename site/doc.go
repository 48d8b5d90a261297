// Package site makes several nodes one hotline: it is a node's membership of its site, see docs/cluster.md for the
// protocol and its words.
//
// Package cmd/hotline makes one [Member] for a node that shares its state, gives it a [Book] (package store/redisstore),
// and wires it between the desk (package acd) and the phones (package sip): the member tells the desk what the other
// nodes say, tells them what this node's desk and registrar say, wins an agent's claim in the book before a phone is rung,
// and says what a node may still do while the book cannot be reached.
//
// Goroutines: Run owns the lease, the log and the state. What this node says goes through a queue of its own, in order,
// so that nobody waits for the book but who rings a phone, and that for [Options.ClaimWithin] at most.
package site
