// Package engine runs the embedded ClickHouse: one supervised child process
// that holds the data directory and answers the native protocol.
//
// The child is the collector's own binary, started again with a hidden
// command (RunChild). It opens the engine library (chDB's libchdb, loaded
// with purego, no cgo) or runs a `clickhouse` binary, and forwards one Unix
// socket to it. The socket lies in a directory only the owner can enter; it is
// the only way in that the collector uses.
//
// The library can only serve TCP. Its built-in user `default` cannot be given a
// password and may call file('/any/path') whatever its grants and quota are,
// and one failed login ends its process. So the port must be out of reach: the
// child gets a network namespace of its own, where nobody else can reach it and
// it can reach nobody. Where the system refuses one, a port on loopback is
// used inside a container only, whose loopback is its own, or when the
// configuration says so (Config.Isolation). There grants and a used-up quota
// keep a stranger from tables, functions of tables and every change, but not
// from file() and from ending the process. Engine.Isolation says which holds.
//
// The package imports purego, x/sys and the standard library. It does not
// import a ClickHouse driver (that is store's), does not know a table, and
// starts nothing before Start.
package engine
