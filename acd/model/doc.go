// Package model is the desk in simulated time: the rules of package acd over plain lists, without
// goroutines, indexes or a clock. It is what the desk is checked against.
//
// It does not choose. Facts go in (a flow, a joining, an answer, time passing), and so does each phone
// the desk rang; [Desk.Rang] says whether that was allowed, and [Desk.Settled] whether the right ones
// were rung and nobody was left out. What must follow from the facts, the model works out itself.
//
// Nothing here is safe for more than one goroutine.
package model
