// Package integration holds the tests from outside: on built binaries, a real
// ClickHouse engine and real traffic, and the tests that hold the whole tree
// against its rules (layering, forbidden imports).
//
// It imports what the tests compare with (proto, signatures) and no internal
// package of agent or collector: what it knows of them it learns from their
// commands, ports and files.
package integration
