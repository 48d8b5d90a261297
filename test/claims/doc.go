// Package claims goes through every schedule of a small site.
package claims
