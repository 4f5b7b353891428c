// Package state keeps what people change in transactions: revisions of the
// inventory, snapshots of the directory, API tokens and the audit log. It is a
// SQLite database in the data directory.
//
// Revisions, snapshots and audit records are append-only; triggers of the
// database refuse to change or delete them. Every accepted change of the
// inventory or the directory is written in one transaction with its audit
// record, so a crash leaves both or neither. Commits are durable when a call
// returns (WAL, synchronous=FULL).
//
// Several processes may open one database; writes take turns. In one process
// there is one writing connection and a few reading ones, none of them open
// before Open. The package starts no goroutine of its own, reads no clock (every
// time comes from the caller) and writes no log. It may import package
// inventory, the SQLite driver, goose and the standard library. It does not
// decide what may be changed by whom: callers do, and say who it was.
//
// Nothing that grows with traffic belongs here.
package state
