//go:build !linux

package inspect

// Visibility returns "": these systems list every process to everybody, and
// what may not be read of one shows in its Facts.
func (r *Reader) Visibility() string { return "" }
