// Package resource holds the nouns that every other package speaks: addresses,
// the value tree, objects, the descriptors of kinds, marks, reads and error
// classes.
//
// It owns no behaviour beyond parsing, comparing and encoding these nouns. It
// must not do I/O, read a clock, log or import anything outside the standard
// library. Floor 0.
package resource
