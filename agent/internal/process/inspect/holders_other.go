//go:build !linux

package inspect

import "time"

// Holders walks procfs, which only Linux has.
type Holders struct{}

// NewHolders returns Holders that find nothing.
func NewHolders(HoldersConfig) *Holders { return &Holders{} }

// Counts returns zeros.
func (*Holders) Counts() HolderCounts { return HolderCounts{} }

// NextWalk returns the zero time.
func (*Holders) NextWalk() time.Time { return time.Time{} }

// Find finds nothing.
func (*Holders) Find(uint32, uint32) Held { return Held{Outcome: Absent} }

// AppendSockets appends nothing.
func (*Holders) AppendSockets(into []uint32, _ int32) ([]uint32, Outcome) { return into, Absent }
