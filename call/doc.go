// Package call owns what a call is: its nouns (Call, Leg, Next, Command, Record, End), the table of
// moves between them, and Run, the one page on which every call's way stands, whatever began it.
//
// Stages (route, menu, wait, talk, finish) fill ports that stand in ports.go; packages sip, acd, ivr,
// recorder and store implement those and never import each other.
//
// Goroutines: one goroutine owns a call, the one that runs Run. Only it touches the call's legs and
// its record. Everything that others want of a call is a Command in its bounded mailbox. A leg ends
// by itself (its context is cancelled with a *LegEnd); only the caller's leg ends the call.
package call
