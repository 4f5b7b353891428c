//go:build !linux

package inspect

import "time"

// Placement is not known on this operating system.
func (*Reader) Placement(int32) Placement { return Placement{} }

// Parents are not read on this operating system.
func (*Reader) Parents(int32) []string { return nil }

// StartedAt is not known on this operating system: no record is made since boot.
func (*Reader) StartedAt(time.Duration) time.Time { return time.Time{} }

// Began is not known on this operating system.
func (Stamp) Began() time.Duration { return 0 }
