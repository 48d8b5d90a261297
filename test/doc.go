// Package test holds whole calls, end to end: the hotline's program as an operator starts it, real
// telephones, and the wire's own truth to hold records and recordings against. It has no code but
// tests; what they are made of is package testkit.
package test
