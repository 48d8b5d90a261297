// Package site is what several nodes that are one hotline share: the book, as a port, with the table of its rules. See
// docs/cluster.md for the protocol and its words, and docs/adr/0018-several-nodes.md for where its parts are to live.
// Nothing implements or uses it yet: a node is alone, and the key `state` is refused.
package site
